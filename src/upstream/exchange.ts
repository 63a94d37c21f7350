import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { noteBuffer } from '../codec/collect-buffers.ts';

/** The head of an upstream's answer, and its body while that arrives. */
export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: AnswerBody;
};

export type Exchange = Dispatcher.DispatchOptions & {
  readonly signal: AbortSignal;
  /** Called when the first byte may leave the process, and never for a call that ended before. */
  readonly onSent?: () => void;
};

/**
 * One request of HTTP: resolves with the head of its answer. When the signal says so it ends at once, even while it is
 * still connecting, and so does its body, unless that has arrived; both fail with the signal's reason then, and else with
 * what broke them.
 */
export function exchange(dispatcher: Dispatcher, { signal, onSent, ...options }: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    dispatcher.dispatch(options, new Handler({ signal, onSent, resolve, reject }));
  });
}

type Parts = {
  readonly signal: AbortSignal;
  readonly onSent: (() => void) | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
};

class Handler implements Dispatcher.DispatchHandler {
  readonly #parts: Parts;
  #controller: Dispatcher.DispatchController | undefined;
  #body: ArrivingBody | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.signal.addEventListener('abort', this.#onAbort);
  }

  /**
   * Just before undici writes, but also for calls that were given up while it was connecting. Those are aborted here, and
   * not a byte of them leaves; error codes could not tell the two apart.
   */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { signal, onSent } = this.#parts;
    this.#controller = controller;
    if (signal.aborted) controller.abort(signal.reason);
    else onSent?.();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // An interim answer says nothing.
    if (status < 200) return;
    this.#body = new ArrivingBody(controller, (reason) => {
      this.#ignoreSignal();
      controller.abort(reason);
    });
    this.#parts.resolve({ status, headers, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(): void {
    this.#ignoreSignal();
    this.#body?.end();
    omitStacksInThisTick();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#ignoreSignal();
    this.#fail(error);
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#parts.signal;
    this.#ignoreSignal();
    this.#fail(reason);
    this.#controller?.abort(reason);
  };

  #fail(reason: unknown): void {
    this.#parts.reject(reason);
    this.#body?.fail(reason);
  }

  #ignoreSignal(): void {
    this.#parts.signal.removeEventListener('abort', this.#onAbort);
  }
}

/**
 * Keeps V8 from writing down the stacks of errors until the next tick. To be called when a response has ended: in the same
 * callback undici ends a connection that is not kept with an error that nobody sees, and its stack costs a tenth or more of
 * a small call. Nothing else runs in between: the next tick comes before any other callback and before any promise.
 */
export function omitStacksInThisTick(): void {
  const { stackTraceLimit } = Error;
  if (stackTraceLimit === 0) return;
  Error.stackTraceLimit = 0;
  process.nextTick(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
}

/** The bytes of an upstream's answer while they arrive. They are read once, by one reader. */
export interface AnswerBody extends AsyncIterable<Buffer> {
  /** Closes the connection, unless everything has arrived. A reader that still waits is rejected. */
  destroy(): unknown;
  /** True when everything has arrived, and has been read. */
  readonly readableEnded: boolean;
}

/** So much may wait for the reader before the connection is held back, in bytes. */
const maxWaiting = 64 * 1024;

type Waiter = PromiseWithResolvers<IteratorResult<Buffer, undefined>>;

/**
 * The body of a call made with undici's `dispatch`: what a stream of Node does, without what it costs. `abort` is called
 * once, when the body is given up before its end.
 */
export class ArrivingBody implements AnswerBody, AsyncIterator<Buffer, undefined> {
  readonly #controller: Dispatcher.DispatchController;
  readonly #abort: (reason: Error) => void;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #reader: Waiter | undefined;
  #end: { readonly error?: unknown } | undefined;

  constructor(controller: Dispatcher.DispatchController, abort: (reason: Error) => void) {
    this.#controller = controller;
    this.#abort = abort;
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return this;
  }

  get readableEnded(): boolean {
    return this.#end !== undefined && !('error' in this.#end) && this.#waiting.length === 0;
  }

  /** A piece has arrived. */
  push(chunk: Buffer): void {
    if (this.#end) return;
    noteBuffer(chunk.length);
    if (this.#reader) {
      this.#settleReader(({ resolve }) => resolve({ value: chunk, done: false }));
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= maxWaiting) this.#controller.pause();
  }

  /** Everything has arrived. */
  end(): void {
    this.#end ??= {};
    this.#settleReader(({ resolve }) => resolve(ended));
  }

  /** The body broke, or was given up: what waits is of no use. */
  fail(error: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    this.#waiting.length = 0;
    this.#settleReader(({ reject }) => reject(error));
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    const chunk = this.#waiting.shift();
    if (chunk) {
      this.#waitingBytes -= chunk.length;
      // In a tick of its own: what undici does at once would run amid its reader.
      if (this.#controller.paused && this.#waiting.length === 0) process.nextTick(() => this.#controller.resume());
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
    this.destroy();
    return ended;
  }

  destroy(): void {
    if (this.#end) return;
    const error = new Error('the body was given up');
    this.fail(error);
    this.#abort(error);
  }

  #settleReader(settle: (reader: Waiter) => void): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) settle(reader);
  }
}

const ended = { value: undefined, done: true } as const;
