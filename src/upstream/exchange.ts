import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { type AnswerBody, ArrivingBody } from './answer-body.ts';
import { omitStacksInThisTick } from './omit-stacks.ts';

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
