import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Generation } from '../domain/generation.ts';
import { type ImageRequest, operationOf } from '../domain/image-request.ts';
import { answerHeaders } from './answer-headers.ts';
import { jsonAnswer } from './json-answer.ts';
import { sendAnswer } from './send-answer.ts';
import { sendStream } from './send-stream.ts';

/** Starts a generation and answers with its pictures, as JSON or as an event stream. Rejects with its error. */
export async function answerGeneration(
  { record }: FastifyRequest,
  reply: FastifyReply,
  asked: ImageRequest,
  start: () => Generation,
): Promise<void> {
  record.prompt = asked.prompt;
  record.count = asked.count;
  const generation = start();
  record.generation = generation.report;
  cancelWhenClientLeaves(reply, generation);
  if (asked.stream) return sendStream(reply, { generation, record, operation: operationOf(asked) });
  const events = await generation.answer;
  reply.headers(answerHeaders(generation.report));
  const headers = { 'content-type': 'application/json' };
  return sendAnswer(reply, headers, jsonAnswer(events, record), { generation, record });
}

/**
 * The caller is gone when its connection closes before our answer was written completely. (Fastify's `request.signal`
 * fires as soon as the request's body has been read, so it cannot tell.)
 */
function cancelWhenClientLeaves(reply: FastifyReply, generation: Generation): void {
  const { raw } = reply;
  // It may have left while an upload was looked at.
  if (raw.destroyed) generation.cancel('client gone');
  raw.once('close', () => {
    if (!raw.writableFinished) generation.cancel('client gone');
  });
}
