import type { ConsumerLimits } from '../domain/consumer-limits.ts';
import type { GatewayError } from '../domain/gateway-error.ts';
import type { Trace } from '../domain/trace.ts';

/** Who asks, and what they want of the gateway itself. */
export type Caller = {
  /** Tells callers apart; never a key itself. */
  readonly id: string;
  /** The caller's own client says that this is a retry. */
  readonly isRetry: boolean;
  /** Its `Idempotency-Key`: equal requests with an equal key are one request. */
  readonly idempotencyKey?: string | undefined;
  /** Its quota of requests is used up: it may join a job or have a stored response, and start nothing. */
  readonly refusal?: GatewayError | undefined;
  /** For the log. */
  readonly requestId?: string;
  /** The trace that the request is a part of. */
  readonly trace?: Trace | undefined;
  /** Shorter than the model's deadline, if anything. */
  readonly timeoutMs?: number | undefined;
  /** Fewer than the model's retries, if anything. */
  readonly maxRetries?: number | undefined;
  /** The models that it may use; `undefined`: all. */
  readonly models?: ReadonlySet<string> | undefined;
  /** The length of its request's body. */
  readonly bodyBytes: number;
  /** How it wants to find the job again; `undefined`: it does not, except by its `Idempotency-Key`. */
  readonly keeping?: JobKeeping | undefined;
  /** The limits of its consumer, if it has some. */
  readonly usage?: ConsumerLimits | undefined;
};

export type JobKeeping = {
  /** What its surface needs to show the job again. */
  readonly view?: string | undefined;
  /** The job runs on, whoever is connected. */
  readonly isBackground: boolean;
  /** The client can find it by its id. Otherwise its images are kept for as long as it is being responded to. */
  readonly isRetrievable: boolean;
};
