import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { Generation } from '../../domain/generation.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { RequestRecord } from '../../domain/request-record.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { answerHeaders } from '../answer-headers.ts';
import { jsonAnswer } from '../json-answer.ts';
import { refuseOtherMethods } from '../refuse-other-methods.ts';
import { writeBody } from '../write-body.ts';
import { parseGeneration } from './parse-generation.ts';

/** `POST /v1/images/generations`, answered with JSON. */
export function generationsRoute(app: FastifyInstance, gateway: Gateway): void {
  const url = '/v1/images/generations';
  app.post(url, async (request, reply) => {
    const call = parseGeneration(request.body);
    const { record } = request;
    record.prompt = call.request.prompt;
    record.count = call.request.count;
    const generation = gateway.start(call.model, call.request);
    record.generation = generation.report;
    cancelWhenClientLeaves(reply, generation);
    const events = await generation.answer;
    reply.headers(answerHeaders(generation.report));
    await answer(reply, generation, events, record);
  });
  refuseOtherMethods(app, url, ['POST']);
}

/**
 * The caller is gone when its connection closes before our answer was written completely. (Fastify's `request.signal`
 * fires as soon as the request's body has been read, so it cannot tell.)
 */
function cancelWhenClientLeaves(reply: FastifyReply, generation: Generation): void {
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) generation.cancel(new GatewayError('client_gone', 'The caller has left.'));
  });
}

/** Streams the answer. From its first byte on, a failure can only be shown by tearing the connection. */
async function answer(
  reply: FastifyReply,
  generation: Generation,
  events: AsyncIterable<ImageEvent>,
  record: RequestRecord,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  // Writing to a connection that has just closed emits an error that nobody needs: `writeBody` reports it.
  raw.on('error', () => {});
  for (const [name, value] of Object.entries(reply.getHeaders())) raw.setHeader(name, value ?? '');
  raw.writeHead(200, { 'content-type': 'application/json' });
  try {
    await writeBody(raw, jsonAnswer(events, record), record);
    generation.settle('delivered');
  } catch (error) {
    if (raw.destroyed) return generation.settle('abandoned');
    record.error = error;
    tear(raw);
    generation.settle('torn');
  }
}

/**
 * Breaks an answer off so that its reader notices. The head goes out first, even if it still waits for company: SDKs
 * take a connection that closes without one for a reason to ask, and pay, again.
 */
function tear(raw: ServerResponse): void {
  raw.socket?.uncork();
  // Without chunks, as HTTP/1.0 has it, a closed connection looks like a regular end; a reset does not.
  if (raw.req.httpVersion === '1.0') raw.socket?.resetAndDestroy();
  raw.destroy();
}
