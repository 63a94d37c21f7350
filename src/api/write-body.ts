import type { ServerResponse } from 'node:http';

/** A reader that takes nothing for so long is given up. */
const patienceMs = 30_000;

/** The reader is there, but takes nothing. */
export class StalledReaderError extends Error {
  override readonly name = 'StalledReaderError';
}

/** The other side has closed the connection. */
export class ClosedConnectionError extends Error {
  override readonly name = 'ClosedConnectionError';
}

/**
 * Writes an answer's body with backpressure: the next chunk is asked for when the last one has found room.
 * Resolves once everything was handed to the network. Rejects with what `chunks` throws, with one of the errors above,
 * and with the signal's reason; the connection is left to the caller then.
 */
export async function writeBody(
  response: ServerResponse,
  chunks: AsyncIterable<Buffer | string>,
  { written, signal, stallMs = patienceMs }: { written: { bytesOut: number }; signal: AbortSignal; stallMs?: number },
): Promise<void> {
  for await (const chunk of chunks) {
    if (response.destroyed) throw new ClosedConnectionError();
    written.bytesOut += Buffer.byteLength(chunk);
    if (!response.write(chunk)) await occurs(response, 'drain', signal, stallMs);
  }
  if (response.destroyed) throw new ClosedConnectionError();
  response.end();
  if (!response.writableFinished) await occurs(response, 'finish', signal, stallMs);
}

function occurs(
  response: ServerResponse,
  event: 'drain' | 'finish',
  signal: AbortSignal,
  stallMs: number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // A pipelined answer waits for the ones before it, which is not its reader's fault: it has no connection until then.
  const timer = setInterval(() => response.socket && reject(new StalledReaderError()), stallMs);
  const onEvent = () => {
    // The connection may close in the same turn, and an error for that is not made in vain.
    response.off('close', onClose);
    resolve();
  };
  const onClose = () => reject(new ClosedConnectionError());
  const onAbort = () => reject(signal.reason);
  response.on(event, onEvent);
  response.on('close', onClose);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    clearInterval(timer);
    response.off(event, onEvent);
    response.off('close', onClose);
    signal.removeEventListener('abort', onAbort);
  });
}
