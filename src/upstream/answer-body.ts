import type { Dispatcher } from 'undici';
import { noteBuffer } from '../codec/collect-buffers.ts';

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
