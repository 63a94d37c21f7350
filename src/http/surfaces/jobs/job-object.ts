import type { GatewayError } from '../../../domain/gateway-error.ts';
import type { Job, JobState } from '../../../domain/job-store.ts';
import { failureOfJob, type Jobs } from '../../../generations/jobs.ts';
import { errorBody } from '../../error-response.ts';
import { shownJobId } from '../../gateway-headers.ts';

/** The states of a job as clients see them. `expired`: it was completed, and its images are not stored any more. */
export const jobStatuses = ['queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired'] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** As OpenAI's jobs and responses have it. */
export const statusOf = {
  queued: 'queued',
  running: 'in_progress',
  done: 'completed',
  cancelled: 'cancelled',
  refused: 'failed',
  failed: 'failed',
  unknown: 'failed',
  not_processed: 'failed',
} as const satisfies Record<JobState, JobStatus>;

/** The states in which a job has one of these statuses. */
export function statesOf(status: JobStatus): readonly JobState[] {
  const shown = status === 'expired' ? 'completed' : status;
  return (Object.keys(statusOf) as JobState[]).filter((state) => statusOf[state] === shown);
}

/** @param hasImages whether its images are still stored */
export function jobStatus({ state }: Pick<Job, 'state'>, hasImages: boolean): JobStatus {
  return state === 'done' && !hasImages ? 'expired' : statusOf[state];
}

/** The status of a job, for which its images are looked for. */
export async function shownStatus(job: Job, jobs: Pick<Jobs, 'images'>): Promise<JobStatus> {
  return jobStatus(job, job.end?.name !== 'done' || (await jobs.images(job)) !== undefined);
}

/** A job as clients see it. Times are in Unix seconds. */
export function jobObject(job: Job, status: JobStatus) {
  return {
    id: shownJobId(job.id),
    object: 'image.job',
    status,
    created_at: seconds(job.createdAt),
    completed_at: job.endedAt === undefined ? null : seconds(job.endedAt),
    expires_at: job.expiresAt === undefined ? null : seconds(job.expiresAt),
    model: job.model,
    error: jobError(job),
  };
}

/** As an error response would have it; `null` where there is none. */
export function jobError(job: Pick<Job, 'end'>): Record<string, unknown> | null {
  const error = job.end?.name === 'cancelled' ? undefined : failureOfEnded(job);
  return error === undefined ? null : errorBody(error).error;
}

/** Why a job that has ended has no images. */
export function failureOfEnded({ end }: Pick<Job, 'end'>): GatewayError | undefined {
  return end && failureOfJob(end);
}

export function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
