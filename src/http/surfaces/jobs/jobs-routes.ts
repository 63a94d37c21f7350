import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { OpenImage } from '../../../domain/image-store.ts';
import type { Job } from '../../../domain/job-store.ts';
import { failureOfJob, imagesOnly } from '../../../generations/jobs.ts';
import { jobIdOf, shownJobId } from '../../gateway-headers.ts';
import { appliedPreferences, readPreferences } from '../../preferences.ts';
import { ignoreBodies } from '../../request-body.ts';
import { modelsRoots } from '../../request-path.ts';
import { sendGeneration } from '../../send-body.ts';
import { type Current, refuseWithoutJobs } from '../../surface.ts';
import { refuseOtherMethods } from '../../unserved-routes.ts';
import { sendImage } from '../files/files-route.ts';
import { imagesJson, writeJson } from '../openai-images/write-json.ts';
import { jobObject, shownStatus } from './job-object.ts';
import { listJobs } from './list-jobs.ts';
import { taskObject } from './task-object.ts';
import { notCached, waitForJob } from './write-job.ts';

type ById = { Params: { id: string } };

/** A consumer's jobs on every root: list, retrieve, cancel, delete, and the images of one. @param stallMs as in files */
export function jobsRoutes(app: FastifyInstance, current: Current, stallMs: number): void {
  ignoreBodies(app);
  refuseWithoutJobs(app, current);
  for (const root of modelsRoots) {
    jobRoutes(app, `${root}/images/jobs`, current, stallMs);
    const task = `${root}/images/tasks/:id`;
    app.get<ById>(task, (request, reply) => writeTaskResult(request, reply, current));
    refuseOtherMethods(app, task, ['GET', 'HEAD']);
  }
}

function jobRoutes(app: FastifyInstance, url: string, current: Current, stallMs: number): void {
  const find = ({ consumerId, params }: FastifyRequest<ById>): Promise<Job> =>
    current.config.gateway.jobs.retrieve(consumerId, jobIdOf(params.id));
  const show = async (job: Job, reply: FastifyReply) => {
    const status = await shownStatus(job, current.config.gateway.jobs);
    return reply.headers(notCached).send(jobObject(job, status));
  };

  app.get<{ Querystring: Record<string, unknown> }>(url, async ({ consumerId, query }, reply) => {
    return reply.headers(notCached).send(await listJobs(consumerId, query, current.config.gateway));
  });
  refuseOtherMethods(app, url, ['GET', 'HEAD']);

  app.get<ById>(`${url}/:id`, async (request, reply) => {
    const { waitMs } = readPreferences(request.headers);
    const applied = appliedPreferences({ respondsAsync: false, waitMs });
    if (applied !== undefined) reply.header('preference-applied', applied);
    const job = await waitForJob(await find(request), waitMs, reply, current.config);
    if (job.end === undefined) reply.header('retry-after', '2');
    return show(job, reply);
  });
  app.delete<ById>(`${url}/:id`, async ({ consumerId, params }) => {
    await current.config.gateway.jobs.remove(consumerId, jobIdOf(params.id));
    return { id: shownJobId(jobIdOf(params.id)), object: 'image.job', deleted: true };
  });
  refuseOtherMethods(app, `${url}/:id`, ['GET', 'HEAD', 'DELETE']);

  app.post<ById>(`${url}/:id/cancel`, async (request, reply) => {
    return show(await current.config.gateway.jobs.cancel(await find(request)), reply);
  });
  refuseOtherMethods(app, `${url}/:id/cancel`, ['POST']);

  app.route<ById & { Querystring: { index?: unknown } }>({
    // Fastify's own HEAD would say that the image is empty.
    method: ['GET', 'HEAD'],
    url: `${url}/:id/content`,
    handler: async (request, reply) => {
      await writeContent(request, reply.headers(notCached), await find(request), { current, stallMs });
      return reply;
    },
  });
  refuseOtherMethods(app, `${url}/:id/content`, ['GET', 'HEAD']);
}

type Content = { readonly current: Current; readonly stallMs: number };

/** The response of a job as it would have been without one, or one of its images as a file. */
async function writeContent(
  request: FastifyRequest<ById & { Querystring: { index?: unknown } }>,
  reply: FastifyReply,
  job: Job,
  { current, stallMs }: Content,
): Promise<void> {
  const { jobs } = current.config.gateway;
  const failure = failureOfJob(job.end);
  if (failure?.kind === 'job_not_completed') reply.header('retry-after', '2');
  if (!wantsImage(request)) {
    if (failure !== undefined) throw failure;
    const reader = jobs.read(job, { request: imagesOnly, delivery: undefined });
    request.record.generation = reader;
    await writeJson(reader, reply);
    return;
  }
  const image = imageAt(await jobs.imagesOf(job), request.query.index);
  await sendImage(request, reply, { image, stallMs });
}

/** Whether a client accepts images, and no JSON. */
function wantsImage({ headers: { accept = '' } }: FastifyRequest): boolean {
  return /\bimage\//i.test(accept) && !/\bapplication\/json\b/i.test(accept);
}

function imageAt(images: readonly OpenImage[], index: unknown): OpenImage {
  const at =
    index === undefined ? 0 : typeof index === 'string' && /^\d{1,2}$/.test(index) ? Number(index) : Number.NaN;
  const image = images[at];
  if (image !== undefined) return image;
  const message = `'index' must be 0 to ${images.length - 1}: the job has made ${images.length} image(s).`;
  throw new GatewayError('invalid_value', message, { param: 'index' });
}

/** A task with its result, in which the images stand as in any other response, or as links where they are hosted. */
async function writeTaskResult(
  request: FastifyRequest<ById>,
  reply: FastifyReply,
  { config: { gateway } }: Current,
): Promise<FastifyReply> {
  const { jobs } = gateway;
  const job = await jobs.retrieve(request.consumerId, jobIdOf(request.params.id));
  reply.headers(notCached);
  if (job.end === undefined) reply.header('retry-after', '3');
  if (job.end?.name !== 'done') return reply.send(taskObject(job));
  const asked = job.end.response.asked ?? (jobs.canLink ? 'url' : undefined);
  const reader = jobs.read(job, { request: imagesOnly, delivery: asked });
  const events = await reader.events.catch((error) => error as GatewayError);
  // A task has ended well, or it has failed: its result cannot be had.
  if (events instanceof GatewayError) return reply.send(taskObject(job, events));
  const head = JSON.stringify({ ...taskObject(job), http_status: 200 }).slice(0, -1);
  reply.header('content-type', 'application/json');
  let link: string | undefined;
  const watched = async function* () {
    for await (const event of events) {
      if (event.type === 'url') link ??= event.url;
      yield event;
    }
  };
  const text = async function* () {
    yield `${head},"result":`;
    yield* imagesJson(watched(), request.record);
    yield link === undefined ? '}' : `,"image_url":${JSON.stringify(link)}}`;
  };
  await sendGeneration(reader, reply, text());
  return reply;
}
