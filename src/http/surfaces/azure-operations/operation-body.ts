import type { GatewayError } from '../../../domain/gateway-error.ts';
import type { ImageEvent } from '../../../domain/image-event.ts';
import type { Job } from '../../../domain/job-store.ts';
import { errorBody } from '../../error-response.ts';
import { failureOfEnded, seconds } from '../jobs/job-object.ts';
import { imageItems, type Written } from '../openai-images/write-json.ts';

/** An error as Azure's clients read it. */
export function azureErrorBody(error: GatewayError): { error: Record<string, unknown> } {
  const { message, param, code } = errorBody(error).error;
  const isContent = error.kind === 'content_policy_violation' || error.kind === 'moderation_blocked';
  return { error: { code: isContent ? 'contentFilter' : code, message, ...(param !== null && { target: param }) } };
}

/** The states of an operation: Azure spells `canceled` so. */
export function operationStatus({ state }: Pick<Job, 'state'>): string {
  if (state === 'queued') return 'notRunning';
  if (state === 'running') return 'running';
  if (state === 'done') return 'succeeded';
  return state === 'cancelled' ? 'canceled' : 'failed';
}

/** An operation without a result. @param error why it has none, though it is done */
export function operationBody(id: string, job: Job, error = failureOfEnded(job)) {
  const status = error === undefined || job.state !== 'done' ? operationStatus(job) : 'failed';
  return {
    created: seconds(job.createdAt),
    ...(job.expiresAt !== undefined && { expires: seconds(job.expiresAt) }),
    id,
    status,
    ...(error && azureErrorBody(error)),
  };
}

/** An operation with its result, piece by piece. */
export async function* succeededOperation(
  id: string,
  job: Job,
  events: AsyncIterable<ImageEvent>,
  written: Written,
): AsyncGenerator<Buffer | string> {
  const created = seconds(job.endedAt ?? job.createdAt);
  const head = JSON.stringify({ ...operationBody(id, job), created });
  yield `${head.slice(0, -1)},"result":{"created":${created},"data":[`;
  yield* imageItems(events, written);
  yield ']}}';
}
