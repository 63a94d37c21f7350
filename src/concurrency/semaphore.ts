import { GatewayError } from '../domain/gateway-error.ts';
import { type Release, releaseOnce } from './release.ts';

type Grant = (release: Release) => void;

export type SemaphoreLimits = {
  readonly permits: number;
  /** How many may wait for a permit. Default: as many as come. */
  readonly maxWaiting?: number;
  /** How long one may wait for a permit. Default: as long as its signal allows. */
  readonly maxWaitMs?: number;
};

/** The limits of so many permits with a short queue: for each permit two may wait. */
export function queueLimits(permits: number, maxWaitMs: number): SemaphoreLimits {
  return { permits, maxWaiting: 2 * permits, maxWaitMs };
}

/** A number of permits that are granted in the order in which they were asked for. */
export class Semaphore {
  #limits: SemaphoreLimits;
  readonly #waiting = new Set<Grant>();
  #taken = 0;

  constructor(limits: SemaphoreLimits) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#taken >= this.#limits.permits;
  }

  /** Permits that are held stay held, even where there are now fewer; those that are free now go to whoever waits. */
  resize(limits: SemaphoreLimits): void {
    this.#limits = limits;
    this.#grant();
  }

  /** A permit that is free now. */
  tryAcquire(): Release | undefined {
    return this.isFull ? undefined : this.#take();
  }

  /**
   * Rejects with the signal's reason, and with `overloaded`: at once where too many wait already, or when the wait becomes
   * too long. A patient caller waits for as long as its signal allows, however many wait already.
   */
  async acquire(signal: AbortSignal, { isPatient = false } = {}): Promise<Release> {
    signal.throwIfAborted();
    const release = this.tryAcquire();
    if (release !== undefined) return release;
    const { maxWaiting = Number.POSITIVE_INFINITY, maxWaitMs } = this.#limits;
    if (!isPatient && this.#waiting.size >= maxWaiting) throw overloaded(maxWaitMs);
    const { promise, resolve, reject } = Promise.withResolvers<Release>();
    // Out of the queue at once: a permit that is granted to a waiter that has gone would be lost.
    const leave = (reason: unknown) => {
      this.#waiting.delete(resolve);
      reject(reason);
    };
    const abort = () => leave(signal.reason);
    const timer =
      isPatient || maxWaitMs === undefined ? undefined : setTimeout(() => leave(overloaded(maxWaitMs)), maxWaitMs);
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
      this.#grant();
    });
  }

  #grant(): void {
    for (const next of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(next);
      next(this.#take());
    }
  }
}

/** @param retryAfterMs when a retry is worth while */
export function overloaded(retryAfterMs = 1_000): GatewayError {
  const message = 'The gateway has too many requests to work on. Nothing was sent to the image service.';
  return new GatewayError('overloaded', message, { retryAfterMs });
}
