import type { Job, JobId } from '../../../domain/job-store.ts';
import { callerViews } from '../../error-response.ts';
import { shownJobId } from '../../gateway-headers.ts';
import { jobError, jobStatus, seconds } from './job-object.ts';

const tasksPath = '/v1/images/tasks';

export function taskPath(id: JobId): string {
  return `${tasksPath}/${shownJobId(id)}`;
}

/**
 * A job as clients of sub2api read it, without its result.
 * https://github.com/Wei-Shaw/sub2api/blob/main/docs/ASYNC_IMAGE_TASKS.md
 */
export function taskObject(job: Job) {
  const { end } = job;
  const status = jobStatus(job, true);
  const failure = end === undefined || end.name === 'done' ? undefined : end.failure;
  return {
    id: shownJobId(job.id),
    task_id: shownJobId(job.id),
    object: 'image.generation.task',
    status: end === undefined ? 'processing' : status === 'completed' ? 'completed' : 'failed',
    created_at: seconds(job.createdAt),
    ...(job.endedAt !== undefined && { completed_at: seconds(job.endedAt) }),
    ...(job.expiresAt !== undefined && { expires_at: seconds(job.expiresAt) }),
    ...(failure && { http_status: callerViews[failure.kind].status, error: jobError(end) ?? cancelled }),
  };
}

/** There is no status for it. */
const cancelled = {
  message: 'The job was cancelled.',
  type: 'invalid_request_error',
  param: null,
  code: 'job_cancelled',
};
