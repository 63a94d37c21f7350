import { GatewayError } from '../domain/gateway-error.ts';
import { type Release, releaseOnce } from './release.ts';

type Admit = (release: Release) => void;

export type SlotLimits = {
  /** How many at once. */
  readonly count: number;
  /** How many may wait. */
  readonly queue: number;
  /** How long one may wait. */
  readonly queueMs: number;
};

/** The limits of so many slots: for each of them two may wait. */
export function slotLimits(count: number, queueMs: number): SlotLimits {
  return { count, queue: 2 * count, queueMs };
}

/** A number of slots with a short, fair queue: first come, first served, and nobody waits for long. */
export class Slots {
  #limits: SlotLimits;
  readonly #waiting = new Set<Admit>();
  #taken = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#taken >= this.#limits.count;
  }

  /** Sets other limits. Who has a slot keeps it, even where there are now fewer; who waits gets one that is free now. */
  resize(limits: SlotLimits): void {
    this.#limits = limits;
    this.#admit();
  }

  /**
   * Rejects with `overloaded`, at once when the queue is full, and with the signal's reason. Who is patient waits for as
   * long as the signal allows, however many wait already.
   */
  async enter(signal: AbortSignal, { isPatient = false } = {}): Promise<Release> {
    signal.throwIfAborted();
    if (!this.isFull) return this.#take();
    if (!isPatient && this.#waiting.size >= this.#limits.queue) throw overloaded(this.#limits.queueMs);
    const { promise, resolve, reject } = Promise.withResolvers<Release>();
    // Out of the queue at once: a slot that is given to somebody who has gone would be lost.
    const leave = (reason: unknown) => {
      this.#waiting.delete(resolve);
      reject(reason);
    };
    const abort = () => leave(signal.reason);
    const giveUp = () => leave(overloaded(this.#limits.queueMs));
    const timer = isPatient ? undefined : setTimeout(giveUp, this.#limits.queueMs);
    signal.addEventListener('abort', abort);
    this.#waiting.add(resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    });
  }

  #take(): Release {
    this.#taken += 1;
    return releaseOnce(() => {
      this.#taken -= 1;
      this.#admit();
    });
  }

  #admit(): void {
    for (const next of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(next);
      next(this.#take());
    }
  }
}

/** @param retryAfterMs when it is worth to ask again */
export function overloaded(retryAfterMs: number): GatewayError {
  const message = 'The gateway has too many requests to work on. Nothing was sent to the image service.';
  return new GatewayError('overloaded', message, { retryAfterMs });
}
