/** What a client got from the gateway. */
export type Reported = {
  readonly status: number;
  readonly header: (name: string) => string | null;
  /** Of an error response, or of the `error` event that ended a stream. */
  readonly error: ReportedError | undefined;
  /** The completed images, in base64. */
  readonly images: readonly string[];
  /** The response broke off after its head. */
  readonly isTruncated: boolean;
  /** Everything that a caller could read, to search for what must not be there. */
  readonly text: string;
};

export type ReportedError = {
  readonly message: unknown;
  readonly type: unknown;
  readonly param: unknown;
  readonly code: unknown;
};
