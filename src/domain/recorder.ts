import type { Outcome } from './gateway-error.ts';

/** Oddities of an upstream that cost nobody a picture, but that an operator wants to know of. */
export type Anomaly =
  /** `operation-location` named a host that is not the configured one; the configured one was asked. */
  | 'foreign_operation_host'
  /** A value beside the pictures was longer than is kept, and was left out of the answer. */
  | 'value_dropped';

/**
 * How an attempt ended. `torn`: its answer broke after the caller had got a part of it; `abandoned`: its caller left
 * after it was sent. Both, and `unknown`, may have been billed without a picture being delivered.
 */
export type AttemptEnd = Outcome | 'delivered' | 'torn' | 'abandoned';

/** Where counters go; it never throws. */
export interface Recorder {
  /** A caller's retry: it got the generation that it had left, the unknown outcome of a moment ago, or a new purchase. */
  retryArrived(end: 'taken_over' | 'shared_unknown' | 'possible_duplicate'): void;
  anomaly(kind: Anomaly): void;
  attemptEnded(provider: string, end: AttemptEnd): void;
  /** A call that may have been billed was made again, as its operator wants it. */
  unknownRepeated(provider: string): void;
}
