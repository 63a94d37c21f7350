import type { Job, JobId } from '../../../domain/job-store.ts';
import { callerViews, errorBody } from '../../error-response.ts';
import { shownJobId } from '../../gateway-headers.ts';
import { failureOfEnded, seconds } from './job-object.ts';

const tasksPath = '/v1/images/tasks';

export function taskPath(id: JobId): string {
  return `${tasksPath}/${shownJobId(id)}`;
}

/**
 * A job as clients of sub2api read it, without its result.
 * https://github.com/Wei-Shaw/sub2api/blob/main/docs/ASYNC_IMAGE_TASKS.md
 * @param failure why there is none, though it has ended
 */
export function taskObject(job: Job, failure = failureOfEnded(job)) {
  return {
    id: shownJobId(job.id),
    task_id: shownJobId(job.id),
    object: 'image.generation.task',
    status: failure ? 'failed' : job.end === undefined ? 'processing' : 'completed',
    created_at: seconds(job.createdAt),
    ...(job.endedAt !== undefined && { completed_at: seconds(job.endedAt) }),
    ...(job.expiresAt !== undefined && { expires_at: seconds(job.expiresAt) }),
    ...(failure && { http_status: callerViews[failure.kind].status, ...errorBody(failure) }),
  };
}
