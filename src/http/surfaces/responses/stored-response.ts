import type { FastifyReply } from 'fastify';
import { encodeBase64 } from '../../../codec/base64.ts';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { Job } from '../../../domain/job-store.ts';
import { imagesOnly, isJobNotFound, type Jobs } from '../../../generations/jobs.ts';
import { whenDisconnected } from '../../surface.ts';
import { jobError, statusOf } from '../jobs/job-object.ts';
import { notCached } from '../jobs/write-job.ts';
import type { ReadAgain } from './response-events.ts';
import { responseError, responseObject } from './response-object.ts';
import { factsOf, type ResponseView, viewOf } from './response-view.ts';
import { writeResponse } from './write-response.ts';
import { writeResponseStream } from './write-response-stream.ts';

/** A job that can be shown as a response. */
export type StoredResponse = { readonly job: Job; readonly view: ResponseView };

/** The response of that id. Rejects with `job_not_found`, also where it is another consumer's, or is not to be found. */
export async function findResponse(jobs: Jobs, consumer: string, id: string): Promise<StoredResponse> {
  const [, name] = /^resp_([\w-]{1,128})$/.exec(id) ?? [];
  const job = name === undefined ? undefined : await jobs.retrieve(consumer, name).catch(unlessNotFound);
  if (job === undefined || !viewOf(job).isStored) throw responseNotFound();
  return { job, view: viewOf(job) };
}

/** Writes a response as it is now. */
export async function writeStored(
  { job, view }: StoredResponse,
  reply: FastifyReply,
  jobs: Jobs,
): Promise<FastifyReply | undefined> {
  const facts = factsOf(job, view.echo);
  if (job.end?.name !== 'done') {
    return reply
      .headers(notCached)
      .type('application/json')
      .send(responseObject(facts, { status: statusOf[job.state], error: responseError(jobError(job)) }));
  }
  reply.headers(notCached);
  const reader = jobs.read(job, { request: imagesOnly, delivery: 'b64_json' });
  whenDisconnected(reply, () => reader.leave());
  await writeResponse(reader, reply, facts);
  return undefined;
}

type Streaming = {
  readonly jobs: Jobs;
  /** How many partial images the client may get. */
  readonly partialImages: number;
  readonly startingAfter?: number | undefined;
};

/** Writes the events of a response, as far as they have come, and then while they come. */
export async function streamStored(
  { job, view }: StoredResponse,
  reply: FastifyReply,
  { jobs, partialImages, startingAfter }: Streaming,
): Promise<void> {
  const reader = jobs.read(job, { request: { stream: true, partialImages }, delivery: 'b64_json' });
  whenDisconnected(reply, () => reader.leave());
  await writeResponseStream(reader, reply, {
    facts: factsOf(job, view.echo),
    readAgain: readImageOf(jobs),
    startingAfter,
  });
}

/** Reads an image of a job once more. */
export function readImageOf(jobs: Pick<Jobs, 'openImage'>): ReadAgain {
  return async function* ({ id }) {
    const image = await jobs.openImage(id);
    if (image === undefined) throw new GatewayError('storage_failed', 'The image could not be read a second time.');
    yield* encodeBase64(image.read());
  };
}

export function responseNotFound(): GatewayError {
  return new GatewayError('job_not_found', 'There is no such response, or not any more.');
}

function unlessNotFound(error: unknown): undefined {
  if (!isJobNotFound(error)) throw error;
  return undefined;
}
