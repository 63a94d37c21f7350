import type { ServerResponse } from 'node:http';

/** A reader that takes nothing for so long is given up. */
const patienceMs = 30_000;

/**
 * Writes an answer's body with backpressure: the next chunk is asked for when the last one has found room.
 * Resolves once everything was handed to the network. Rejects with what `chunks` throws, and when the connection is
 * closed, by its reader or for stalling.
 */
export async function writeBody(
  response: ServerResponse,
  chunks: AsyncIterable<Buffer | string>,
  written: { bytesOut: number },
  stallMs = patienceMs,
): Promise<void> {
  for await (const chunk of chunks) {
    if (response.destroyed) throw new Error('the connection is closed');
    written.bytesOut += Buffer.byteLength(chunk);
    if (!response.write(chunk)) await settledWithin(response, 'drain', stallMs);
  }
  if (response.destroyed) throw new Error('the connection is closed');
  response.end();
  if (!response.writableFinished) await settledWithin(response, 'finish', stallMs);
}

function settledWithin(response: ServerResponse, event: 'drain' | 'finish', stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => response.destroy(), stallMs);
    const settle = (done: () => void) => () => {
      clearTimeout(timer);
      response.off(event, onEvent);
      response.off('close', onClose);
      done();
    };
    const onEvent = settle(resolve);
    const onClose = settle(() => reject(new Error('the connection is closed')));
    response.on(event, onEvent);
    response.on('close', onClose);
  });
}
