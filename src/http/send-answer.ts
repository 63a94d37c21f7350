import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { GenerationReader, Settlement } from '../domain/generation-reader.ts';
import type { RequestRecord } from '../domain/request-record.ts';
import { ClosedConnectionError, StalledReaderError, writeBody } from './write-body.ts';

/** Sends head and body of an answer whose outcome is known, and settles its generation. */
export async function sendAnswer(
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
  chunks: AsyncIterable<Buffer | string>,
  { generation, record }: { readonly generation: GenerationReader; readonly record: RequestRecord },
): Promise<void> {
  reply.headers(headers);
  const how = await sendBody(reply, chunks, { record, signal: generation.signal });
  generation.settle(how, record.error);
}

type Sending = { readonly record: RequestRecord; readonly signal: AbortSignal; readonly stallMs?: number };

/**
 * Sends the head that `reply` has, and a body. From the first byte on, a failure can only be shown by tearing the connection,
 * unless `chunks` have words for it and note it in `record.error`.
 */
export async function sendBody(
  reply: FastifyReply,
  chunks: AsyncIterable<Buffer | string>,
  { record, ...sending }: Sending,
): Promise<Settlement> {
  reply.hijack();
  const { raw } = reply;
  // Writing to a connection that has just closed emits an error that nobody needs: `writeBody` reports it.
  raw.on('error', () => {});
  try {
    // Fastify's hooks do not see an answer that is written past it.
    const closing = reply.server.lifecycle.phase === 'closing' && { connection: 'close' };
    // Node knows numbers as values of every header; its types do not.
    raw.writeHead(reply.statusCode, { ...reply.getHeaders(), ...closing } as OutgoingHttpHeaders);
    await writeBody(raw, chunks, { written: record, ...sending });
    return record.error === undefined ? 'delivered' : 'truncated';
  } catch (error) {
    const hasLeft = error instanceof ClosedConnectionError || raw.destroyed;
    if (!hasLeft) record.error = error;
    tear(raw);
    return hasLeft || error instanceof StalledReaderError ? 'abandoned' : 'truncated';
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
