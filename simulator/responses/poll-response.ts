import type { FastifyReply } from 'fastify';
import { azureError } from '../azure-errors.ts';
import { ofPoll, sendJson, sendPlain } from '../send-answer.ts';
import type { SimulatedWorld } from '../simulated-world.ts';
import { responseBody } from './response-body.ts';
import { notInBackground, responseNotFound } from './response-errors.ts';
import { type StoredResponse, statusOf } from './response-shelf.ts';

/** Answers a poll of a response. */
export async function pollResponse(
  stored: StoredResponse | undefined,
  id: string,
  reply: FastifyReply,
  world: SimulatedWorld,
): Promise<FastifyReply> {
  if (stored === undefined || isLost(stored)) return sendPlain(reply, responseNotFound(id));
  const { name, value } = stored.job.image.scenario;
  stored.polls += 1;
  if (name === 'agent-poll-500' && stored.polls <= value) {
    return sendPlain(reply, azureError(500, 'InternalServerError', 'The server had an error.'));
  }
  return sendStored(stored, reply, world);
}

/** Cancels a response in background. Once it has ended, or was cancelled, nothing changes. */
export async function cancelResponse(
  stored: StoredResponse | undefined,
  id: string,
  reply: FastifyReply,
  world: SimulatedWorld,
): Promise<FastifyReply> {
  if (stored === undefined || isLost(stored)) return sendPlain(reply, responseNotFound(id));
  if (!stored.job.inBackground) return sendPlain(reply, notInBackground());
  const status = statusOf(stored, world.operationMs);
  if (status === 'queued' || status === 'in_progress') {
    stored.isCancelled = true;
    world.ledger.noteCancelled();
  }
  return sendStored(stored, reply, world);
}

function isLost({ job }: StoredResponse): boolean {
  return job.image.scenario.name === 'agent-lost';
}

async function sendStored(stored: StoredResponse, reply: FastifyReply, world: SimulatedWorld): Promise<FastifyReply> {
  const body = await responseBody(stored.job, statusOf(stored, world.operationMs));
  return sendJson(reply, 200, body, ofPoll(stored.job.image.scenario));
}
