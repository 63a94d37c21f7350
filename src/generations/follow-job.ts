import { pause } from '../concurrency/pause.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { JobEnd, JobId, JobStore } from '../domain/job-store.ts';

const [firstMs, maxMs] = [50, 500];

/**
 * How a job that another process runs ends: its row is read until then, also where a store fails for a while. Rejects with the
 * signal's reason.
 */
export async function followJob(job: JobId, store: Pick<JobStore, 'read'>, signal: AbortSignal): Promise<JobEnd> {
  for (let waitMs = firstMs; ; waitMs = Math.min(maxMs, 2 * waitMs)) {
    const end = await store.read(job).catch(() => undefined);
    if (end === 'gone') throw notProcessed();
    if (end !== undefined) return end;
    await pause(waitMs, signal);
  }
}

/** Only jobs that have made no image are forgotten while somebody may wait for them. */
export function notProcessed(): GatewayError {
  const message = 'The equal request that this one has joined ended without an image. Send it again.';
  return new GatewayError('overloaded', message, { retryAfterMs: 1_000 });
}
