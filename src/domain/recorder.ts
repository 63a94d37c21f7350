import type { Bill, Tokens } from './bill.ts';
import type { BudgetUsage } from './budget.ts';
import type { GatewayError, Outcome } from './gateway-error.ts';
import type { GenerationReport } from './generation-reader.ts';
import type { ConversionKind, ConvertedFormat } from './image-conversion.ts';
import type { InputMediaType } from './image-input.ts';
import type { ImageRequest } from './image-request.ts';

/** Anomalies of an upstream that cost no image, but that an operator should know of. */
export type Anomaly =
  /** `operation-location` named a host that is not the configured one; the configured one was asked. */
  | 'foreign_operation_host'
  /** A response of success held fewer images than were asked for. */
  | 'fewer_images'
  /** A value beside the images was longer than is kept, and was left out of the response. */
  | 'value_dropped'
  /** `usage` held something that is not a whole number, which was left out of the response. */
  | 'usage_not_whole';

/**
 * How an attempt ended. `truncated`: its response broke off after the client had received a part of it; `abandoned`: the
 * client disconnected after it was sent. Both, and `unknown`, may have been billed without an image being delivered.
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
  /** Of the upstream's response, if there was one. */
  readonly status: number | undefined;
  readonly error: GatewayError | undefined;
  /** Never logged: its texts are removed from what the upstream says about a failure. */
  readonly request: ImageRequest;
  /** How many images were asked for, and how many were made, where that is known. */
  readonly count: number;
  readonly images: number | undefined;
  /** How long it waited for a permit of its target. */
  readonly queueMs: number;
  /** Until its outcome was known. */
  readonly upstreamMs: number;
  readonly upstreamRequestId: string | undefined;
  readonly tokens: Tokens | undefined;
  readonly bill: Bill;
};

/** One generation, from its start until it is settled; it may outlive the request that started it. */
export type GenerationRecord = {
  /** The request that started it. */
  readonly requestId: string | undefined;
  readonly traceId: string | undefined;
  readonly report: GenerationReport;
  /** `undefined` for a failure that says nothing about a paid call. */
  readonly outcome: AttemptEnd | undefined;
  readonly error: unknown;
  /** Never logged, as in {@link AttemptRecord}. */
  readonly request: ImageRequest;
  /** How many images were made, as far as their responses have been read. */
  readonly images: number;
  readonly durationMs: number;
};

/**
 * What a request got that repeats an earlier one: without a key it rejoined what its client had left, shared an earlier unknown
 * outcome, or may have started a second purchase; with its key it joined a request that runs, or its response was replayed.
 */
export type RetryEnd = 'rejoined' | 'shared_unknown' | 'possible_duplicate' | 'joined' | 'replayed';

/**
 * What became of a job that was taken over: nothing had been sent, it waited and runs now, its images were stored, its accepted
 * work is followed, or nobody knows.
 */
export type Recovered = 'not_processed' | 'restarted' | 'stored' | 'resumed' | 'unknown';

/** A request that counts against the budget of its consumer. */
export type BudgetUse = {
  readonly consumer: string;
  readonly usage: BudgetUsage;
  /** Whether so much was left. */
  readonly isGranted: boolean;
  /** Beyond the soft limit, and whether this request has crossed it. */
  readonly isBeyond: boolean;
  readonly hasCrossed: boolean;
};

/**
 * One conversion of an image. `unusable`: it cannot or must not be decoded; `abandoned`: its request has ended before; `failed`:
 * the gateway could not.
 */
export type ConversionRecord = {
  /** `undefined`: its bytes do not say. */
  readonly from: InputMediaType | undefined;
  readonly to: ConvertedFormat;
  readonly kind: ConversionKind;
  readonly outcome: 'converted' | 'unusable' | 'abandoned' | 'failed';
  /** Without its wait for a permit. */
  readonly durationMs: number;
};

/** Where counters go; it never throws. */
export interface Recorder {
  /** A client's retry, or a request with a known `Idempotency-Key`. */
  retryArrived(end: RetryEnd): void;
  /** A job of a process that has died or stopped was taken over. */
  jobRecovered(how: Recovered): void;
  /** Money was to be reserved from a budget. */
  budgetUsed(use: BudgetUse): void;
  imageConverted(conversion: ConversionRecord): void;
  anomaly(kind: Anomaly): void;
  attemptEnded(attempt: AttemptRecord): void;
  generationEnded(generation: GenerationRecord): void;
  /** A call that may have been billed was repeated, as its operator has configured. */
  unknownRepeated(provider: string): void;
}
