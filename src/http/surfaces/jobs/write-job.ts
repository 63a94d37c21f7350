import type { FastifyReply } from 'fastify';
import type { ImageRequest } from '../../../domain/image-request.ts';
import type { Job } from '../../../domain/job-store.ts';
import { shownJobId } from '../../gateway-headers.ts';
import { appliedPreferences, readPreferences } from '../../preferences.ts';
import { type RuntimeConfig, whenDisconnected } from '../../surface.ts';
import { writeJson } from '../openai-images/write-json.ts';
import { jobObject, jobStatus } from './job-object.ts';
import { taskObject, taskPath } from './task-object.ts';

/** Where jobs are found. */
export const jobsPath = '/v1/images/jobs';

/** Says where a job is; one that ends within the time that its client waits is responded to like any other request. */
export async function writeJob(started: Job, reply: FastifyReply, asked: ImageRequest, config: RuntimeConfig) {
  const { request } = reply;
  const preferences = readPreferences(request.headers);
  const applied = appliedPreferences(preferences);
  if (applied !== undefined) reply.header('preference-applied', applied);
  const job = await waitForJob(started, preferences.waitMs, reply, config);
  if (preferences.waitMs !== undefined && job.end !== undefined && job.end.name !== 'cancelled') {
    const reader = config.gateway.jobs.read(job, { request: asked, delivery: asked.delivery });
    request.record.generation = reader;
    await writeJson(reader, reply);
    return;
  }
  reply.headers({ 'x-gateway-model': job.model, location: absolute(`${jobsPath}/${shownJobId(job.id)}`, config) });
  await reply
    .code(202)
    .headers({ ...notCached, 'retry-after': '2' })
    .send(jobObject(job, jobStatus(job, true)));
}

/** The same as another gateway's clients expect it. */
export async function writeTask(job: Job, reply: FastifyReply, _asked: ImageRequest, config: RuntimeConfig) {
  const url = absolute(taskPath(job.id), config);
  reply.headers({ ...notCached, 'x-gateway-model': job.model, location: url, 'retry-after': '3' });
  await reply.code(202).send({ ...taskObject(job), poll_url: url });
}

/** The job once it has ended, or as it is when its client waits no longer. */
export async function waitForJob(
  job: Job,
  waitMs: number | undefined,
  reply: FastifyReply,
  { gateway: { jobs } }: RuntimeConfig,
): Promise<Job> {
  if (waitMs === undefined || waitMs === 0 || job.end !== undefined) return job;
  const disconnected = new AbortController();
  whenDisconnected(reply, () => disconnected.abort());
  await jobs.waitFor(job.id, waitMs, disconnected.signal);
  return jobs.find(job.consumer, job.id);
}

/** A response that changes as its job goes on. */
export const notCached = { 'cache-control': 'no-store' };

/** A path where clients reach the gateway. Without a known address it is for them to complete. */
export function absolute(path: string, { address }: Pick<RuntimeConfig, 'address'>): string {
  return `${address.url ?? ''}${path}`;
}
