import type { Bill, KnownCost } from './bill.ts';
import type { BudgetUsage } from './budget.ts';
import type { Usage } from './consumer-limits.ts';
import type { ImageEvent, ImageFacts } from './image-event.ts';
import type { JobId } from './job-store.ts';

/** How a generation ended. `parked`: its accepted work goes on, and another process, or a later poll, follows it. */
export type GenerationEnd =
  | { readonly name: 'done' }
  | { readonly name: 'cancelled'; readonly error?: unknown }
  | { readonly name: 'refused' | 'failed' | 'not_processed' | 'unknown' | 'parked'; readonly error: unknown };

/** Where a generation is: it waits for a permit, its calls run, its images wait for a reader, or are read or stored. */
export type GenerationState = { readonly name: 'queued' | 'running' | 'ready' | 'delivering' } | GenerationEnd;

/** What its reader has of an `Idempotency-Key`: it runs for it, it has joined an equal request, or its response is a stored one. */
export type KeyedAs = 'first' | 'joined' | 'replayed';

/** What happened on the way to a response: for response headers and the log. */
export type GenerationReport = {
  readonly id: JobId;
  /** The logical model. */
  readonly model: string;
  /** The target that was called last; `undefined` before the first one. */
  readonly target: string | undefined;
  /** What the upstream was asked for, where that is definite. */
  readonly asked: ImageFacts;
  readonly provider: string | undefined;
  /** Paid calls that were started, retries among them. */
  readonly attempts: number;
  /** True once a paid call may have left the process. */
  readonly sent: boolean;
  /** How many failed calls it may repeat, and how long it may take: the model's limits, or the caller's lower ones. */
  readonly maxRetries: number;
  readonly timeoutMs: number;
  /** How long it waited for permits, of the process and of its targets. */
  readonly queueMs: number;
  /** What the gateway did itself to satisfy the request, in the words of `x-gateway-adapted`. */
  readonly adaptations: readonly string[];
  /** From the start until the outcome was known; `undefined` before. */
  readonly upstreamMs: number | undefined;
  /** When it was started, and when its outcome was known, as of `performance.now()`. */
  readonly startedAt: number;
  readonly knownAt: number | undefined;
  /** What its calls have cost so far. */
  readonly bill: Bill;
  /** The cost that is certain before the response is sent: of images that have a price each, or that have all come. */
  readonly costAhead: KnownCost | undefined;
  readonly upstreamRequestId: string | undefined;
  /** `undefined`: its request has no `Idempotency-Key`. */
  readonly keyedAs?: KeyedAs | undefined;
  /** What its start has left of the consumer's quota of images, where there is one. */
  readonly imageQuota?: Usage | undefined;
  /** What its start has left of the consumer's budget, where there is one. */
  readonly budget?: BudgetUsage | undefined;
};

/** How the response reached its caller: completely, broken off by a failure, or not because the caller left. */
export type Settlement = 'delivered' | 'truncated' | 'abandoned';

/**
 * One reader of a generation. Several may be attached, and each may leave; the generation belongs to none of them. When
 * `events` has resolved, the reader settles; a rejection settles by itself.
 */
export interface GenerationReader {
  /** What has happened so far. */
  readonly report: GenerationReport;
  /** Settles when the outcome is known; rejects with a GatewayError. The events may still throw one. */
  readonly events: Promise<AsyncIterable<ImageEvent>>;
  /** Aborted when the generation ends early, with a GatewayError as the reason, and once it is settled. */
  readonly signal: AbortSignal;
  /**
   * The client has disconnected. Before anything may be billed the generation ends with its last reader; afterwards it goes on
   * into the store, so that the client's own retry can have the response. A response without an `Idempotency-Key` that is being
   * read already ends with its client: the beginning is gone.
   */
  leave(): void;
  /** Ends the generation early: the upstream connection is closed, polls and downloads stop. */
  cancel(why: 'shutdown'): void;
  /**
   * Reports how the response ended; the last reader's report releases everything that the generation holds. Later calls change
   * nothing.
   * @param truncatedBy what broke a truncated response
   */
  settle(how: Settlement, truncatedBy?: unknown): void;
}
