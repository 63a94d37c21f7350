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
  {
    written,
    signal,
    stallMs = patienceMs,
  }: { written: { bytesOut: number }; signal?: AbortSignal | undefined; stallMs?: number },
): Promise<void> {
  const reader = new Reader(response, signal, stallMs);
  try {
    for await (const chunk of chunks) {
      if (response.destroyed) throw new ClosedConnectionError();
      written.bytesOut += Buffer.byteLength(chunk);
      if (!response.write(chunk)) await reader.takes();
    }
    if (response.destroyed) throw new ClosedConnectionError();
    response.end();
    if (!response.writableFinished) await reader.takes();
  } finally {
    reader.leave();
  }
}

/** The other side of an answer: whether it takes what was written. It listens once for all of the answer's chunks. */
class Reader {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(response: ServerResponse, signal: AbortSignal | undefined, stallMs: number) {
    this.#response = response;
    this.#signal = signal;
    this.#timer = setInterval(this.#onStall, stallMs);
    response.on('drain', this.#onTaken).on('finish', this.#onTaken).on('close', this.#onClose);
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** Resolves when there is room again, or, after the end, when everything was handed to the network. */
  takes(): Promise<void> {
    this.#waiting = Promise.withResolvers();
    this.#timer.refresh();
    if (this.#signal?.aborted) this.#onAbort();
    return this.#waiting.promise;
  }

  leave(): void {
    clearInterval(this.#timer);
    this.#response.off('drain', this.#onTaken).off('finish', this.#onTaken).off('close', this.#onClose);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onTaken = (): void => {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  };

  // Errors are made only for somebody who waits.
  readonly #onClose = (): void => this.#waiting?.reject(new ClosedConnectionError());

  readonly #onAbort = (): void => this.#waiting?.reject(this.#signal?.reason);

  readonly #onStall = (): void => {
    // A pipelined answer waits for the ones before it, which is not its reader's fault: it has no connection until then.
    if (this.#response.socket) this.#waiting?.reject(new StalledReaderError());
  };
}
