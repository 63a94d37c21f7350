/** A call that a contestant is measured with. */
export type Call = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** A shorter response, or another status than 200, is an error. */
  readonly minBytes: number;
  /** Each call has an `Idempotency-Key` of its own. */
  readonly isKeyed?: boolean;
};

/** What the driver can be asked for. */
export type Order =
  /** A fixed number of calls at once, the next when one has ended. */
  | {
      readonly kind: 'closed';
      readonly call: Call;
      readonly atOnce: number;
      readonly count: number;
      /** Over how long the first ones begin; 0: all in one moment. */
      readonly beginMs: number;
    }
  /** Calls at a fixed rate, whatever becomes of those before. */
  | { readonly kind: 'open'; readonly call: Call; readonly perSecond: number; readonly count: number }
  /** Readers that stop reading when the response begins; they stay until the next order. */
  | { readonly kind: 'stall'; readonly call: Call; readonly readers: number }
  /** Edits, all at once. */
  | {
      readonly kind: 'edit';
      readonly call: Call;
      readonly edits: number;
      readonly images: number;
      readonly bytes: number;
    };

/** How it went; times in milliseconds. */
export type Report = {
  /** From a call to the last byte of its response. */
  readonly whole: readonly number[];
  /** From a call to the end of the first event of its response; the whole response where it is no stream. */
  readonly first: readonly number[];
  /** How much later than they should have been the calls were made. */
  readonly late: readonly number[];
  readonly elapsedMs: number;
  readonly mistakes: readonly string[];
};

export const nothing: Report = { whole: [], first: [], late: [], elapsedMs: 0, mistakes: [] };
