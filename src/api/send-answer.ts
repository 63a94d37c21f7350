import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Generation } from '../domain/generation.ts';
import type { RequestRecord } from '../domain/request-record.ts';
import { ClosedConnectionError, StalledReaderError, writeBody } from './write-body.ts';

/**
 * Sends head and body of an answer whose outcome is known, and settles its generation. From the first byte on, a failure
 * can only be shown by tearing the connection, unless `chunks` have words for it and note it in `record.error`.
 */
export async function sendAnswer(
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
  chunks: AsyncIterable<Buffer | string>,
  { generation, record }: { readonly generation: Generation; readonly record: RequestRecord },
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  // Writing to a connection that has just closed emits an error that nobody needs: `writeBody` reports it.
  raw.on('error', () => {});
  try {
    // Fastify's hooks do not see an answer that is written past it.
    const closing = reply.server.lifecycle.phase === 'closing' && { connection: 'close' };
    // Node knows numbers as values of every header; its types do not.
    raw.writeHead(200, { ...reply.getHeaders(), ...closing, ...headers } as OutgoingHttpHeaders);
    await writeBody(raw, chunks, { written: record, signal: generation.signal });
    generation.settle(record.error === undefined ? 'delivered' : 'torn', record.error);
  } catch (error) {
    const hasLeft = error instanceof ClosedConnectionError || raw.destroyed;
    if (!hasLeft) record.error = error;
    tear(raw);
    generation.settle(hasLeft || error instanceof StalledReaderError ? 'abandoned' : 'torn', error);
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
  // A pipelined answer has no connection of its own yet, but shares its request's.
  raw.req.socket.destroy();
}
