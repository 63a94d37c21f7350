import { GatewayError } from '../domain/gateway-error.ts';
import type { KeyedAs } from '../domain/generation-reader.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { BackgroundClaim, JobClaim, JobEnd } from '../domain/job-store.ts';
import { operationOf, type Plan } from '../parameters/plan.ts';
import type { LogicalModel, Target } from '../targets/model-catalog.ts';
import type { Caller } from './caller.ts';
import type { Hosting } from './delivery.ts';
import { nothingTried, storedFailure } from './ends.ts';
import { fingerprint } from './fingerprint.ts';

/** A client's retry may take what that client has left for so long; other equal requests for `lingerMs`. */
export const retryRejoinMs = 10 * 60_000;

/** SDKs that have not received the id of a job retry soon; another equal request may mean another job. */
const jobRetryMs = 60_000;

/** A request for which there is a plan, of a consumer that may send it. */
export type Planned = {
  readonly model: LogicalModel;
  readonly planned: Plan<Target>;
  readonly place: Hosting | undefined;
  readonly request: ImageRequest;
  readonly caller: Caller;
  /** It has an `Idempotency-Key`. */
  readonly isKeyed: boolean;
  /** Its client can find its job again, by its key or by its id. */
  readonly isRetrievable: boolean;
};

export function timeoutOf(model: LogicalModel, { timeoutMs }: Caller): number {
  return Math.min(timeoutMs ?? model.timeoutMs, model.timeoutMs);
}

export function readingOf({ request, planned, place, isKeyed, caller }: Planned, keyedAs: KeyedAs) {
  return {
    request,
    delivery: planned.delivery,
    hosting: place,
    keyedAs: isKeyed ? keyedAs : undefined,
    isBackground: caller.keeping?.isBackground ?? false,
  };
}

type Claiming = {
  /** How long ago the client of an equal request may have left, where this one does not say that it is a retry. */
  readonly lingerMs: number;
  readonly background: BackgroundClaim | undefined;
};

export function claimOf(
  { model, request, caller, isRetrievable }: Planned,
  { lingerMs, background }: Claiming,
): JobClaim {
  return {
    consumer: caller.id,
    operation: operationOf(request),
    model: model.name,
    count: request.count,
    fingerprint: fingerprint(model.name, request),
    key: caller.idempotencyKey,
    // Two equal jobs are two jobs, as long as nobody says that one of them is a retry.
    rejoinMs: background === undefined ? (caller.isRetry ? retryRejoinMs : lingerMs) : caller.isRetry ? jobRetryMs : 0,
    mayRepeat: model.onUnknownOutcome === 'retry',
    isRetrievable,
    ...(background && { background }),
    view: caller.keeping?.view,
  };
}

/** How a job ended of which nothing was sent. */
export function endOfNothing(error: unknown, { model, caller }: Pick<Planned, 'model' | 'caller'>): JobEnd {
  const report = {
    ...nothingTried,
    model: model.name,
    maxRetries: model.maxRetries,
    timeoutMs: timeoutOf(model, caller),
  };
  const isCancelled = error instanceof GatewayError && error.kind === 'job_cancelled';
  return { name: isCancelled ? 'cancelled' : 'not_processed', failure: storedFailure(error, report) };
}
