import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { answerGeneration } from '../answer-generation.ts';
import { callerOf } from '../caller-of.ts';
import { modelOf } from '../model-of.ts';
import { parseParameters } from './parse-parameters.ts';

/** `…/images/generations`, answered with JSON or with an event stream. */
export function handleGenerations(gateway: Gateway) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const call = parseParameters(jsonObject(request.body), undefined);
    const model = modelOf(request, call.model);
    await answerGeneration(request, reply, call.request, () => gateway.start(model, call.request, callerOf(request)));
  };
}

function jsonObject(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw new GatewayError('invalid_value', 'The request’s body must be a JSON object.');
}
