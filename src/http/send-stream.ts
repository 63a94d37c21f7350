import type { FastifyReply } from 'fastify';
import type { GenerationReader } from '../domain/generation-reader.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Operation } from '../domain/image-request.ts';
import type { RequestRecord } from '../domain/request-record.ts';
import { answerHeaders } from './answer-headers.ts';
import { sendAnswer } from './send-answer.ts';
import { StreamAnswer } from './surfaces/openai-images/stream-answer.ts';
import { asGatewayError } from './write-error.ts';

/** When a stream must show a sign of life: proxies in between close connections that are idle for about a minute. */
export type StreamTimes = {
  /** So long the headers wait for the outcome, so that an early failure is an ordinary error answer. */
  readonly headersMs: number;
  readonly heartbeatMs: number;
};

const defaultTimes: StreamTimes = { headersMs: 45_000, heartbeatMs: 15_000 };

/** A comment, which readers of event streams skip. */
const signOfLife = ':\n\n';

const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // nginx would collect the events otherwise.
  'x-accel-buffering': 'no',
};

type Answering = {
  readonly generation: GenerationReader;
  readonly record: RequestRecord;
  readonly operation: Operation;
};

/** Answers with an event stream. Rejects with the generation's error as long as that can be an ordinary answer. */
export async function sendStream(
  reply: FastifyReply,
  { generation, record, operation }: Answering,
  { headersMs, heartbeatMs }: StreamTimes = defaultTimes,
): Promise<void> {
  const isKnown = await settledWithin(generation.events, headersMs);
  reply.headers(answerHeaders(generation.report, reply.request.headers));
  const stream = new StreamAnswer(whenKnown(generation.events), {
    operation,
    asked: generation.report.asked,
    written: record,
    toError: (error) => {
      record.error = error;
      return asGatewayError(error, record.requestId);
    },
  });
  const { raw } = reply;
  const heartbeat = setInterval(() => {
    if (!stream.isInEvent && raw.headersSent && !raw.writableNeedDrain) raw.write(signOfLife);
  }, heartbeatMs);
  raw.once('close', () => clearInterval(heartbeat));
  const text = isKnown ? stream.text() : startingWith(signOfLife, stream.text());
  await sendAnswer(reply, streamHeaders, text, { generation, record });
}

/** False when `ms` were not enough; rejects with what the promise rejects with. */
async function settledWithin(answer: Promise<unknown>, ms: number): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => timeout.resolve(false), ms);
  try {
    return await Promise.race([answer.then(() => true), timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* rest;
}

async function* whenKnown(answer: Promise<AsyncIterable<ImageEvent>>): AsyncGenerator<ImageEvent> {
  yield* await answer;
}
