import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationEnd, GenerationReport, Settlement } from '../domain/generation-reader.ts';
import { type ImageRequest, parameterNames } from '../domain/image-request.ts';
import type { ImageId } from '../domain/image-store.ts';
import type { JobEnd, StoredEvent, StoredFailure, StoredReport, StoredResponse } from '../domain/job-store.ts';
import type { AttemptEnd } from '../domain/recorder.ts';
import { inCallersEdges } from '../parameters/own-parameters.ts';
import type { Target } from '../targets/model-catalog.ts';

// How a generation ends, in the words of attempts, of jobs, and of what is recorded of it.

/** In the words of attempts; `undefined` for a failure that says nothing about a paid call. */
export function outcomeOf(how: Settlement, failure: unknown): AttemptEnd | undefined {
  if (failure === undefined) return how;
  if (!(failure instanceof GatewayError)) return undefined;
  return failure.kind === 'client_gone' ? 'abandoned' : failure.outcome;
}

/** All ends but `parked`, after which the job goes on. */
export type Settled =
  | Extract<GenerationEnd, { name: 'done' }>
  | { readonly name: 'cancelled'; readonly error?: unknown }
  | { readonly name: 'refused' | 'failed' | 'not_processed' | 'unknown'; readonly error: unknown };

type Ended = {
  readonly how: Settlement;
  /** What the generation failed with, or what has truncated its response. */
  readonly error: unknown;
  /** Whether an image may have been made. */
  readonly mayBeBilled: boolean;
  readonly isKept: boolean;
  readonly isRetrievable: boolean;
};

/** How a generation ended, by how its response did, or by what it failed with. */
export function endOf({ how, error, mayBeBilled, isKept, isRetrievable }: Ended): Settled {
  if (how === 'delivered') return { name: 'done' };
  if (error instanceof GatewayError && error.kind === 'job_cancelled') return { name: 'cancelled', error };
  // A key must not be free again while an image of its request may have been made.
  if (how === 'abandoned' && isRetrievable && mayBeBilled && isGone(error)) return { name: 'unknown', error: givenUp };
  if (error === undefined) return { name: 'cancelled' };
  if (how === 'truncated' && isKept && !isRefusal(error)) return { name: 'unknown', error: afterCommitment(error) };
  if (!(error instanceof GatewayError)) return { name: mayBeBilled ? 'unknown' : 'failed', error };
  const { kind, outcome } = error;
  if (kind === 'client_gone') return { name: 'cancelled' };
  if (outcome === 'refused') return { name: 'refused', error };
  // Clients retry these by themselves, although an image of the request may have been made.
  if (how !== 'truncated' && (outcome === 'unknown' || mayBeBilled)) return { name: 'unknown', error };
  return { name: outcome === 'failed' || how === 'truncated' ? 'failed' : 'not_processed', error };
}

/** The upstream had begun to respond: whatever it says later, an image may have been made. */
export function afterCommitment(error: unknown): unknown {
  if (!(error instanceof GatewayError) || (error.outcome !== 'failed' && error.outcome !== 'not-processed'))
    return error;
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service failed after it had begun to respond. The image may be billed; it was not retried.',
    { outcome: 'unknown', cause: error, upstream: error.upstream, hint: error.hint },
  );
}

/** A parameter that the client has not sent, but its operator or the gateway, must not be named to it. */
export function withoutForeignParameter(failure: unknown, asked: ImageRequest): unknown {
  if (!(failure instanceof GatewayError) || failure.param === undefined) return failure;
  const error = inCallersEdges(failure, asked);
  const [name = ''] = /^\w+/.exec(error.param ?? '') ?? [];
  if (parameterNames(asked).has(name)) return error;
  return error.with({ param: undefined }, error.message.replace(`'${error.param}'`, 'one of the parameters'));
}

/** Tells the likely reason why a deployment does not exist whose model is retired. */
export function withRetirement<T>(error: T, { retirement, isRetired }: RetiringTarget): T | GatewayError {
  if (!(error instanceof GatewayError) || error.kind !== 'upstream_misconfigured') return error;
  const isMissing = error.upstream?.status === 404 || error.upstream?.status === 410;
  if (retirement === undefined || !isRetired || !isMissing) return error;
  const { date, successor } = retirement;
  const hint = `the model was retired on ${date}${successor === undefined ? '' : `: deploy ${successor} instead`}`;
  return error.with({ hint }, `${error.message} Its model was retired on ${date}.`);
}

type RetiringTarget = Pick<Target, 'retirement' | 'isRetired'>;

const givenUp = new GatewayError(
  'upstream_outcome_unknown',
  'The gateway stopped waiting when its client had left. The image may have been made and billed; it was not retried.',
  { outcome: 'unknown' },
);

function isGone(error: unknown): boolean {
  return error === undefined || (error instanceof GatewayError && error.kind === 'client_gone');
}

function isRefusal(error: unknown): boolean {
  return error instanceof GatewayError && error.outcome === 'refused';
}

/** The end as it is recorded. @param response where the generation was done */
export function jobEndOf(end: Settled, response: StoredResponse): JobEnd {
  if (end.name === 'done') return { name: 'done', response };
  const error = ('error' in end ? end.error : undefined) ?? cancelled;
  return { name: end.name, failure: storedFailure(error, response.report) };
}

const cancelled = new GatewayError('client_gone', 'The caller has left.');

/** A failure as it is recorded: what its client may be told, and nothing more. */
export function storedFailure(error: unknown, report: StoredReport): StoredFailure {
  const { kind, message, outcome, param, moderation } =
    error instanceof GatewayError ? error : new GatewayError('internal_error', 'The gateway failed unexpectedly.');
  return {
    report,
    kind,
    message,
    ...(outcome !== undefined && { outcome }),
    ...(param !== undefined && { param }),
    ...(moderation !== undefined && { moderation }),
  };
}

/** A recorded failure as it is told again. */
export function failureOf({ kind, message, outcome, param, moderation }: StoredFailure): GatewayError {
  return new GatewayError(kind, message, { outcome, param, moderation });
}

/** What is recorded of a report. */
export function storedReport(report: GenerationReport): StoredReport {
  const { model, target, provider, asked, adaptations, attempts, sent, maxRetries, timeoutMs } = report;
  return { model, target, provider, asked, adaptations, attempts, sent, maxRetries, timeoutMs };
}

/** The images of a stored response that are in the image store. */
export function imageIds(events: readonly StoredEvent[]): readonly ImageId[] {
  return events.flatMap((event) => (event.type === 'image' && event.image ? [event.image.id] : []));
}

/** What is reported of a job of which nothing was sent. */
export const nothingTried = {
  target: undefined,
  provider: undefined,
  asked: {},
  adaptations: [],
  attempts: 0,
  sent: false,
};
