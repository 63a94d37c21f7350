import type { Bill, Tokens } from './bill.ts';
import type { GatewayError, Outcome } from './gateway-error.ts';
import type { ImageRequest } from './image-request.ts';

/** Oddities of an upstream that cost nobody an image, but that an operator wants to know of. */
export type Anomaly =
  /** `operation-location` named a host that is not the configured one; the configured one was asked. */
  | 'foreign_operation_host'
  /** A response of success held fewer images than were asked for. */
  | 'fewer_images'
  /** A value beside the images was longer than is kept, and was left out of the answer. */
  | 'value_dropped'
  /** `usage` held something that is not a whole number, which was left out of the answer. */
  | 'usage_not_whole';

/**
 * How an attempt ended. `truncated`: its answer broke after the caller had got a part of it; `abandoned`: its caller left
 * after it was sent. Both, and `unknown`, may have been billed without an image being delivered.
 */
export type AttemptEnd = Outcome | 'delivered' | 'truncated' | 'abandoned';

/** One paid call, from its start to the end of the request that it was made for; times in milliseconds. */
export type AttemptRecord = {
  /** The request for which it was started. */
  readonly requestId: string | undefined;
  readonly traceId: string | undefined;
  /** The logical model. */
  readonly model: string;
  readonly target: string;
  readonly provider: string;
  readonly end: AttemptEnd;
  /** Whether a byte of it may have left the process. */
  readonly sent: boolean;
  /** Of the upstream's answer, if there was one. */
  readonly status: number | undefined;
  readonly error: GatewayError | undefined;
  /** Never logged: its texts are removed from what the upstream says about a failure. */
  readonly request: ImageRequest;
  /** How many images were asked for, and how many were made, where that is known. */
  readonly count: number;
  readonly images: number | undefined;
  /** How long it waited for a free slot at its target. */
  readonly queueMs: number;
  /** Until its outcome was known. */
  readonly upstreamMs: number;
  readonly upstreamRequestId: string | undefined;
  readonly tokens: Tokens | undefined;
  readonly bill: Bill;
};

/** Where counters go; it never throws. */
export interface Recorder {
  /** A caller's retry: it got the generation that it had left, the unknown outcome of a moment ago, or a new purchase. */
  retryArrived(end: 'rejoined' | 'shared_unknown' | 'possible_duplicate'): void;
  anomaly(kind: Anomaly): void;
  attemptEnded(attempt: AttemptRecord): void;
  /** A call that may have been billed was made again, as its operator wants it. */
  unknownRepeated(provider: string): void;
}
