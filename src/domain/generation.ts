import type { ImageEvent, ImageFacts } from './image-event.ts';

/** What happened on the way to an answer: for answer headers and the log. */
export type GenerationReport = {
  /** The logical model. */
  readonly model: string;
  readonly target: string;
  /** What the upstream was asked for, where that is definite. */
  readonly asked: ImageFacts;
  readonly provider: string;
  /** Paid calls that were started. */
  readonly attempts: number;
  /** True once a paid call may have left the process. */
  readonly sent: boolean;
  /** What the gateway did itself to satisfy the request, in the words of `x-gateway-adapted`. */
  readonly adaptations: readonly string[];
  /** From the start until the outcome was known; `undefined` before. */
  readonly upstreamMs: number | undefined;
  readonly upstreamRequestId: string | undefined;
};

/** How the answer reached its caller: completely, broken off by a failure, or not because the caller left. */
export type Settlement = 'delivered' | 'torn' | 'abandoned';

/** One started request. When `answer` has resolved, whoever asked for it settles it; a rejection settles by itself. */
export interface Generation {
  /** A live view. */
  readonly report: GenerationReport;
  /** Settles when the outcome is known; rejects with a GatewayError. The events may still throw one. */
  readonly answer: Promise<AsyncIterable<ImageEvent>>;
  /** Aborted when the generation ends early, with a GatewayError as the reason, and once it is settled. */
  readonly signal: AbortSignal;
  /** Ends it early: the upstream connection is closed, polls and downloads stop. */
  cancel(why: 'client gone' | 'shutdown'): void;
  /** Counts how the answer ended, and lets go of everything that the generation holds. Later calls change nothing. */
  settle(how: Settlement): void;
}
