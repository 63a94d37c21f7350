import { GatewayError } from '../domain/gateway-error.ts';

/** Releases something that is held; further calls change nothing. */
export type Release = () => void;

/** A release that does `release` at its first call. */
export function releaseOnce(release: () => void): Release {
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    release();
  };
}

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
  readonly #waiting = new Set<(permit: Release) => void>();
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
    if (this.#taken >= this.#limits.permits) return undefined;
    this.#taken += 1;
    return releaseOnce(() => {
      this.#taken -= 1;
      if (this.#waiting.size > 0) this.#grant();
    });
  }

  /**
   * Waits for a permit. Rejects with the signal's reason, and with `overloaded`: at once where too many wait already, or when
   * the wait becomes too long. A patient caller waits for as long as its signal allows, however many wait already.
   */
  async acquire(signal?: AbortSignal, { isPatient = false } = {}): Promise<Release> {
    signal?.throwIfAborted();
    const free = this.tryAcquire();
    if (free !== undefined) return free;
    const { maxWaiting = Number.POSITIVE_INFINITY, maxWaitMs } = this.#limits;
    if (!isPatient && this.#waiting.size >= maxWaiting) throw overloaded(maxWaitMs);
    const { promise, resolve, reject } = Promise.withResolvers<Release>();
    // Out of the queue at once: a permit that is granted to a waiter that has gone would be lost.
    const leave = (reason: unknown) => {
      this.#waiting.delete(resolve);
      reject(reason);
    };
    const abort = () => leave(signal?.reason);
    const timer =
      isPatient || maxWaitMs === undefined ? undefined : setTimeout(() => leave(overloaded(maxWaitMs)), maxWaitMs);
    signal?.addEventListener('abort', abort);
    this.#waiting.add(resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
  }

  #grant(): void {
    for (const grant of this.#waiting) {
      const permit = this.tryAcquire();
      if (permit === undefined) return;
      this.#waiting.delete(grant);
      grant(permit);
    }
  }
}

/** @param retryAfterMs when a retry is worth while */
export function overloaded(retryAfterMs = 1_000): GatewayError {
  const message = 'The gateway has too many requests to work on. Nothing was sent to the image service.';
  return new GatewayError('overloaded', message, { retryAfterMs });
}

/**
 * Starts tasks in order, at most `limit` at a time, and gives a promise for each. When one fails, no further task is
 * started, and the promises of those reject with the same reason; unless `goOn` is set.
 */
export function startBounded<T>(
  tasks: readonly (() => Promise<T>)[],
  { limit, goOn }: { readonly limit: number; readonly goOn: boolean },
): Promise<T>[] {
  const semaphore = new Semaphore({ permits: limit });
  let failure: { readonly reason: unknown } | undefined;

  async function run(task: () => Promise<T>): Promise<T> {
    const release = await semaphore.acquire();
    try {
      if (failure) throw failure.reason;
      return await task();
    } catch (reason) {
      if (!goOn) failure ??= { reason };
      throw reason;
    } finally {
      release();
    }
  }

  const results = tasks.map(run);
  // Whoever awaits an earlier result may never look at this one, and its rejection must not count as unhandled.
  for (const result of results) result.catch(() => {});
  return results;
}
