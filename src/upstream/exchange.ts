import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { noteBuffer } from '../codec/collect-buffers.ts';

/** The bytes of a response while they arrive. They are read once, by one reader. */
export interface ResponseBody extends AsyncIterable<Buffer> {
  /** Closes the connection, unless everything has arrived. A reader that still waits is rejected. */
  destroy(): unknown;
  /** True when everything has arrived, and has been read. */
  readonly readableEnded: boolean;
}

/** The head of a response, and its body while that arrives. */
export type HttpResponse = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: ResponseBody;
};

export type HttpRequest = Omit<Dispatcher.DispatchOptions, 'origin' | 'path'> & {
  readonly url: URL;
  readonly signal: AbortSignal;
  /** Set when the first byte may leave the process, and never for a request that ended before. */
  readonly attempt?: { sent: boolean } | undefined;
};

/**
 * One request of HTTP: resolves with the head of its response. When the signal says so it ends at once, even while it is
 * still connecting, and so does its body, unless that has arrived; both fail with the signal's reason then, and else with
 * what broke them.
 */
export function exchange(
  dispatcher: Dispatcher,
  { url, signal, attempt, ...options }: HttpRequest,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const target = { origin: url.origin, path: `${url.pathname}${url.search}` };
    dispatcher.dispatch({ ...options, ...target }, new Exchange({ signal, attempt, resolve, reject }));
  });
}

type Parts = {
  readonly signal: AbortSignal;
  readonly attempt?: { sent: boolean } | undefined;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (reason: unknown) => void;
};

/** So much may wait for the reader before the connection is held back, in bytes. */
const maxWaiting = 64 * 1024;

const ended = { value: undefined, done: true } as const;

/**
 * What undici's `dispatch` reports about one request, and the body that comes of it: what a stream of Node does, without
 * what it costs.
 */
export class Exchange implements Dispatcher.DispatchHandler, ResponseBody, AsyncIterator<Buffer, undefined> {
  readonly #parts: Parts;
  #controller: Dispatcher.DispatchController | undefined;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #reader: PromiseWithResolvers<IteratorResult<Buffer, undefined>> | undefined;
  #end: { readonly error?: unknown } | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.signal.addEventListener('abort', this.#onAbort);
  }

  /**
   * Just before undici writes, but also for requests that were given up while it was connecting. Those are aborted here, and
   * not a byte of them leaves; error codes could not tell the two apart.
   */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { signal, attempt } = this.#parts;
    this.#controller = controller;
    if (signal.aborted) controller.abort(signal.reason);
    else if (attempt) attempt.sent = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // An interim response says nothing.
    if (status >= 200) this.#parts.resolve({ status, headers, body: this });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#end) return;
    noteBuffer(chunk.length);
    if (this.#reader) {
      this.#reader.resolve({ value: chunk, done: false });
      this.#reader = undefined;
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= maxWaiting) controller.pause();
  }

  /**
   * In the same callback undici ends a connection that is not kept with an error that nobody sees, and its stack costs a tenth
   * or more of a small call. So no stacks are written down until the next tick, which comes before any other callback and
   * before any promise.
   */
  onResponseEnd(): void {
    this.#parts.signal.removeEventListener('abort', this.#onAbort);
    this.#end ??= {};
    this.#reader?.resolve(ended);
    const { stackTraceLimit } = Error;
    if (stackTraceLimit === 0) return;
    Error.stackTraceLimit = 0;
    process.nextTick(() => {
      Error.stackTraceLimit = stackTraceLimit;
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#parts.signal;
    this.#fail(reason);
    this.#controller?.abort(reason);
  };

  /** The request broke, or was given up: what waits is of no use. */
  #fail(error: unknown): void {
    this.#parts.signal.removeEventListener('abort', this.#onAbort);
    this.#parts.reject(error);
    if (this.#end) return;
    this.#end = { error };
    this.#waiting.length = 0;
    this.#reader?.reject(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return this;
  }

  get readableEnded(): boolean {
    return this.#end !== undefined && !('error' in this.#end) && this.#waiting.length === 0;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    const chunk = this.#waiting.shift();
    if (chunk) {
      this.#waitingBytes -= chunk.length;
      const controller = this.#controller;
      // In a tick of its own: what undici does at once would run amid its reader.
      if (controller?.paused && this.#waiting.length === 0) process.nextTick(() => controller.resume());
      return { value: chunk, done: false };
    }
    if (this.#end === undefined) {
      this.#reader = Promise.withResolvers();
      return this.#reader.promise;
    }
    if ('error' in this.#end) throw this.#end.error;
    return ended;
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    if (!this.#end) this.destroy();
    return ended;
  }

  destroy(): void {
    if (this.#end) return;
    const error = new Error('the body was given up');
    this.#fail(error);
    this.#controller?.abort(error);
  }
}
