import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GenerationReader } from '../domain/generation-reader.ts';
import { type ImageRequest, operationOf } from '../domain/image-request.ts';
import { answerHeaders } from './answer-headers.ts';
import { sendAnswer } from './send-answer.ts';
import { sendStream } from './send-stream.ts';
import { jsonAnswer } from './surfaces/openai-images/json-answer.ts';

/** Starts a generation and answers with its images, as JSON or as an event stream. Rejects with its error. */
export async function answerGeneration(
  { record, arrival }: FastifyRequest,
  reply: FastifyReply,
  asked: ImageRequest,
  start: () => Promise<GenerationReader>,
): Promise<void> {
  record.request = asked;
  record.count = asked.count;
  // From here on the generation accounts for the body.
  arrival?.release();
  const generation = await start();
  record.generation = generation;
  leaveWithClient(reply, generation);
  keepAliveWhileSilent(reply, asked);
  if (asked.stream) return sendStream(reply, { generation, record, operation: operationOf(asked) });
  const events = await generation.events;
  reply.headers(answerHeaders(generation.report, reply.request.headers));
  const headers = { 'content-type': 'application/json' };
  return sendAnswer(reply, headers, jsonAnswer(events, record), { generation, record });
}

/**
 * The caller is gone when its connection closes before our answer was written completely. (Fastify's `request.signal`
 * fires as soon as the request's body has been read, so it cannot tell.)
 */
function leaveWithClient({ raw }: FastifyReply, generation: GenerationReader): void {
  // It may have left while an upload was looked at.
  if (raw.destroyed) generation.leave();
  raw.once('close', () => {
    if (!raw.writableFinished) generation.leave();
  });
}

/**
 * Clients on Node give a silent call up after 300 s, whatever their own timeout says, and buy it again. A `102 Processing`
 * now and then keeps them; others take one for the answer, so only those get it that say what they are (RELIABILITY trap
 * 35). Streams have signs of life of their own.
 */
function keepAliveWhileSilent({ raw, request }: FastifyReply, { stream }: ImageRequest): void {
  if (stream || request.headers['x-stainless-lang'] !== 'js' || request.raw.httpVersion !== '1.1') return;
  const timer = setInterval(() => {
    if (raw.headersSent) clearInterval(timer);
    else raw.writeProcessing();
  }, request.server.interimMs);
  raw.once('close', () => clearInterval(timer));
}
