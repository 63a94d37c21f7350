import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { beginJob } from '../accept-job.ts';
import { apiVersionOf } from '../address-call.ts';
import { objectBody } from '../request-body.ts';
import { sendJson, sendPlain } from '../send-answer.ts';
import { sendStream } from '../send-stream.ts';
import type { SimulatedWorld } from '../simulated-world.ts';
import { readRequest } from './read-request.ts';
import { responseBody } from './response-body.ts';
import type { ResponseJob } from './response-job.ts';
import { outcomeOf } from './response-outcome.ts';
import { projectOf, publishedAgentOf, type ResponsePlace } from './response-places.ts';
import type { ResponseShelf } from './response-shelf.ts';
import { responseSteps } from './response-steps.ts';

/** Accepts a request and answers it, whole, as a stream, or with the promise of an answer, as its scenario wants. */
export async function createResponse(
  { isInProject }: ResponsePlace,
  shelf: ResponseShelf,
  world: SimulatedWorld,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const deployment = request.headers['x-ms-oai-image-generation-deployment'];
  const order = await readRequest(objectBody(request), {
    isInProject,
    published: publishedAgentOf(request),
    deployment,
  });
  if ('status' in order) return sendPlain(reply, order);
  const { image, inBackground, isStored } = order;
  const apiVersion = String(apiVersionOf(request) ?? 'v1');
  if (!(await beginJob(image, apiVersion, world, request, reply))) return reply;
  const job: ResponseJob = {
    ...order,
    id: `resp_${randomUUID().replaceAll('-', '')}`,
    createdAt: Date.now(),
    project: projectOf(request),
    requestId: String(reply.getHeader('apim-request-id')),
  };
  if (isStored) shelf.keep(job);
  if (image.stream && image.scenario.name !== 'stream-json') {
    return sendStream(reply, await responseSteps(job), image.scenario, world.partialMs);
  }
  const status = inBackground ? 'queued' : outcomeOf(job).status;
  return sendJson(reply, 200, await responseBody(job, status), image.scenario);
}
