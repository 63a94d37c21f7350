import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Generation } from '../../domain/generation.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { answerHeaders } from '../answer-headers.ts';
import { jsonAnswer } from '../json-answer.ts';
import { refuseOtherMethods } from '../refuse-other-methods.ts';
import { sendAnswer } from '../send-answer.ts';
import { sendStream } from '../send-stream.ts';
import { parseGeneration } from './parse-generation.ts';

/** `POST /v1/images/generations`, answered with JSON or with an event stream. */
export function generationsRoute(app: FastifyInstance, gateway: Gateway): void {
  const url = '/v1/images/generations';
  app.post(url, async (request, reply) => {
    const { model, request: asked } = parseGeneration(request.body);
    const { record } = request;
    record.prompt = asked.prompt;
    record.count = asked.count;
    const generation = gateway.start(model, asked);
    record.generation = generation.report;
    cancelWhenClientLeaves(reply, generation);
    if (asked.stream) return sendStream(reply, { generation, record });
    const events = await generation.answer;
    reply.headers(answerHeaders(generation.report));
    const headers = { 'content-type': 'application/json' };
    return sendAnswer(reply, headers, jsonAnswer(events, record), { generation, record });
  });
  refuseOtherMethods(app, url, ['POST']);
}

/**
 * The caller is gone when its connection closes before our answer was written completely. (Fastify's `request.signal`
 * fires as soon as the request's body has been read, so it cannot tell.)
 */
function cancelWhenClientLeaves(reply: FastifyReply, generation: Generation): void {
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) generation.cancel('client gone');
  });
}
