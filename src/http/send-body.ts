import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { GenerationReader, Settlement } from '../domain/generation-reader.ts';
import type { RequestRecord } from '../domain/request-record.ts';

type Sending = { readonly record: RequestRecord; readonly signal?: AbortSignal; readonly stallMs?: number };

/**
 * Sends the head that `reply` has, and a body. From the first byte on, a failure can only be shown by closing the connection
 * early, unless `chunks` report it in their own form and note it in `record.error`.
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
    // Fastify's hooks do not see a response that is written past it.
    const closing = reply.server.lifecycle.phase === 'closing' && { connection: 'close' };
    // Node knows numbers as values of every header; its types do not.
    raw.writeHead(reply.statusCode, { ...reply.getHeaders(), ...closing } as OutgoingHttpHeaders);
    await writeBody(raw, chunks, { written: record, ...sending });
    return record.error === undefined ? 'delivered' : 'truncated';
  } catch (error) {
    const isDisconnected = error instanceof ClosedConnectionError || raw.destroyed;
    if (!isDisconnected) record.error = error;
    truncate(raw);
    return isDisconnected || error instanceof StalledClientError ? 'abandoned' : 'truncated';
  }
}

/** Sends the response of a generation as {@link sendBody} does, and settles its reader. */
export async function sendGeneration(
  reader: GenerationReader,
  reply: FastifyReply,
  chunks: AsyncIterable<Buffer | string>,
): Promise<void> {
  const { record } = reply.request;
  reader.settle(await sendBody(reply, chunks, { record, signal: reader.signal }), record.error);
}

/**
 * Ends a response so that its client notices that it is not complete. The head goes out first, even if it still waits in a
 * buffer: SDKs retry, and pay again, when a connection closes without one.
 */
function truncate(raw: ServerResponse): void {
  raw.socket?.uncork();
  // Without chunks, as HTTP/1.0 has it, a closed connection looks like a regular end; a reset does not.
  if (raw.req.httpVersion === '1.0') raw.socket?.resetAndDestroy();
  // A pipelined response has no connection of its own yet, but shares its request's.
  raw.req.socket.destroy();
}

/** A client that reads nothing for so long is given up. */
const patienceMs = 30_000;

/** The client is connected, but reads nothing. */
class StalledClientError extends Error {
  override readonly name = 'StalledClientError';
}

/** The client has closed the connection. */
class ClosedConnectionError extends Error {
  override readonly name = 'ClosedConnectionError';
}

/**
 * Writes a response's body with backpressure: the next chunk is asked for when the last one has found room. Resolves once
 * everything was handed to the network. Rejects with what `chunks` throws, with one of the errors above, and with the
 * signal's reason; the connection is left as it is then.
 */
export async function writeBody(
  response: ServerResponse,
  chunks: AsyncIterable<Buffer | string>,
  {
    written,
    signal,
    stallMs = patienceMs,
  }: { written: { bytesOut: number }; signal?: AbortSignal | undefined; stallMs?: number },
): Promise<void> {
  /** Set while a chunk, or the end, waits for the client. */
  let waiting: PromiseWithResolvers<void> | undefined;
  const onAbort = () => waiting?.reject(signal?.reason);
  const timer = setInterval(() => {
    // A pipelined response waits for the ones before it, which is not the client's fault: it has no connection until then.
    if (response.socket) waiting?.reject(new StalledClientError());
  }, stallMs);
  for (const event of ['drain', 'finish']) {
    response.on(event, () => {
      waiting?.resolve();
      waiting = undefined;
    });
  }
  // An error is made only where something waits.
  response.on('close', () => waiting?.reject(new ClosedConnectionError()));
  signal?.addEventListener('abort', onAbort);

  /** Resolves when there is room again, or, after the end, when everything was handed to the network. */
  function taken(): Promise<void> {
    waiting = Promise.withResolvers();
    timer.refresh();
    if (signal?.aborted) onAbort();
    return waiting.promise;
  }

  try {
    for await (const chunk of chunks) {
      if (response.destroyed) throw new ClosedConnectionError();
      written.bytesOut += Buffer.byteLength(chunk);
      if (!response.write(chunk)) await taken();
    }
    if (response.destroyed) throw new ClosedConnectionError();
    response.end();
    if (!response.writableFinished) await taken();
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
