import type { FastifyReply, FastifyRequest } from 'fastify';
import { beginJob } from './accept-job.ts';
import { type ImageJob, imageOrdersOf } from './image-job.ts';
import { imagesAnswer } from './images-answer.ts';
import { requestOrigin } from './origins.ts';
import { imageLink } from './private-images.ts';
import { sendJson } from './send-answer.ts';
import { sendStream } from './send-stream.ts';
import type { SimulatedWorld } from './simulated-world.ts';
import { streamSteps } from './stream-steps.ts';

/** Does a job of the deployments or the v1 path and answers it, whole or as a stream, the way its scenario wants. */
export async function answerJob(
  job: ImageJob,
  apiVersion: string,
  world: SimulatedWorld,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.header('x-ms-deployment-name', job.deployment);
  if (!(await beginJob(job, apiVersion, world, request, reply))) return reply;
  const shelved = job.asUrl ? imageOrdersOf(job).map((order) => world.shelf.shelve(order, job.scenario)) : [];
  const links = shelved.map((pathAndQuery) => imageLink(requestOrigin(request), pathAndQuery, job.scenario));
  if (job.stream && job.scenario.name !== 'stream-json') {
    const requestId = String(reply.getHeader('apim-request-id'));
    const steps = await streamSteps(job, { link: links[0], requestId });
    return sendStream(reply, steps, job.scenario, world.partialMs);
  }
  // CONTRACTS §3.2: the echo fields are not in the table of the dated api-versions.
  const answer = await imagesAnswer(job, { links, withEcho: apiVersion === 'preview' });
  return sendJson(reply, 200, answer, job.scenario);
}
