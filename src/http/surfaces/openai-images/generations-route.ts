import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import { answerGeneration } from '../../answer-generation.ts';
import { callerOf } from '../../caller-of.ts';
import { modelOf } from '../../model-of.ts';
import type { Serving } from '../../serving.ts';
import { parseParameters } from './parse-parameters.ts';

/** `…/images/generations`, answered with JSON or with an event stream. */
export function handleGenerations(serving: () => Serving) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const call = parseParameters(jsonObject(request.body), undefined);
    const model = modelOf(request, call.model);
    const start = () => serving().gateway.start(model, call.request, callerOf(request));
    await answerGeneration(request, reply, call.request, start);
  };
}

function jsonObject(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw new GatewayError('invalid_value', 'The request’s body must be a JSON object.');
}
