import type { FastifyReply } from 'fastify';
import { replay } from '../concurrency/replay.ts';
import type { GenerationReader } from '../domain/generation-reader.ts';
import { sendGeneration } from './send-body.ts';

/** A comment, which readers of event streams skip. */
export const heartbeatText = ':\n\n';

/** The headers of every event stream. */
export const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // Disable buffering in nginx.
  'x-accel-buffering': 'no',
};

/** Proxies in between close connections that are idle for about a minute, so a stream has to send something before. */
export const defaultHeartbeatMs = 15_000;

/** Events as text, piece by piece. */
export interface EventText {
  /** False between two events, where a comment may stand. */
  readonly isInEvent: boolean;
  text(): AsyncIterable<Buffer | string>;
}

type Sending = { readonly heartbeatMs: number; readonly beginning?: string };

/** Sends the head that `reply` has, and events with heartbeats between them, as {@link sendGeneration} does. */
export function sendEvents(
  reader: GenerationReader,
  reply: FastifyReply,
  events: EventText,
  { heartbeatMs, beginning }: Sending,
): Promise<void> {
  const { raw } = reply;
  const heartbeat = setInterval(() => {
    if (!events.isInEvent && raw.headersSent && !raw.writableNeedDrain) raw.write(heartbeatText);
  }, heartbeatMs);
  raw.once('close', () => clearInterval(heartbeat));
  const text = beginning === undefined ? events.text() : replay([beginning], events.text()[Symbol.asyncIterator]());
  return sendGeneration(reader, reply, text);
}

/** A generation's events, whose outcome may not be known yet. Throws the generation's error. */
export async function* whenKnown<T>(events: Promise<AsyncIterable<T>>): AsyncGenerator<T> {
  yield* await events;
}
