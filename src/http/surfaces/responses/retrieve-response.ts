import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import { isJobNotFound, type Jobs } from '../../../generations/jobs.ts';
import type { Current } from '../../surface.ts';
import { invalidMember } from '../../uploads/member-name.ts';
import { forward } from './forward.ts';
import { findResponse, streamStored, writeStored } from './stored-response.ts';

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;

/** Handles `GET …/responses/{id}`; `?stream=true` gives its events, behind `starting_after` if that is given. */
export function retrieveResponse(current: Current): Handler {
  return async (request, reply) => {
    const startingAfter = startOf(request);
    const { jobs, response } = await responseOf(request, current);
    if (startingAfter === 'no stream') return writeStored(response, reply, jobs);
    await streamStored(response, reply, { jobs, partialImages: 0, startingAfter });
    return undefined;
  };
}

/** Handles `POST …/responses/{id}/cancel`: what has ended stays as it is. */
export function cancelResponse(current: Current): Handler {
  return async (request, reply) => {
    const { jobs, response } = await responseOf(request, current);
    const { job } = response;
    if (job.end === undefined && !job.isBackground) throw notInBackground();
    await jobs.cancel(job);
    return writeStored((await responseOf(request, current)).response, reply, jobs);
  };
}

/** Handles `DELETE …/responses/{id}`, which deletes the image as well. */
export function deleteResponse(current: Current): Handler {
  return async (request, reply) => {
    const { jobs, response } = await responseOf(request, current);
    await jobs.remove(request.consumerId, response.job.id);
    const { id } = request.params as { id: string };
    return reply.type('application/json').send({ id, object: 'response', deleted: true });
  };
}

/** The items of an input are not kept. */
export function refuseInputItems(current: Current): Handler {
  return async (request) => {
    // Where nothing is forwarded, the id does not matter.
    if (current.config.passThrough) await responseOf(request, current);
    const message = 'The items of the input are not kept. The response itself tells what it was asked for.';
    throw new GatewayError('unsupported_endpoint', message);
  };
}

/** Responses that are none of ours may be those of the models elsewhere. @param handle our own */
export function orForward(current: Current, handle: Handler): Handler {
  return async (request, reply) => {
    try {
      return await handle(request, reply);
    } catch (error) {
      const { passThrough } = current.config;
      if (passThrough === undefined || !isJobNotFound(error)) throw error;
      await forward(request, reply, passThrough, undefined);
      return undefined;
    }
  };
}

async function responseOf({ params, consumerId, record }: FastifyRequest, { config }: Current) {
  const jobs: Jobs = config.gateway.jobs;
  const response = await findResponse(jobs, consumerId, (params as { id: string }).id);
  record.job = response.job.id;
  return { jobs, response };
}

/** The number of the last event that the client has, -1 for none. Throws a GatewayError that names the parameter. */
function startOf({ query }: FastifyRequest): number | 'no stream' {
  const { stream = 'false', starting_after: after } = query as Record<string, unknown>;
  if (stream !== 'true' && stream !== 'false') throw invalidMember('stream', 'must be true or false');
  if (after === undefined) return stream === 'true' ? -1 : 'no stream';
  if (stream === 'false') throw invalidMember('starting_after', "needs 'stream=true'");
  if (typeof after === 'string' && /^\d{1,9}$/.test(after)) return Number(after);
  throw invalidMember('starting_after', 'must be the number of an event');
}

function notInBackground(): GatewayError {
  const message = "Only responses with 'background' can be cancelled: close the connection of any other.";
  return new GatewayError('job_not_cancellable', message);
}
