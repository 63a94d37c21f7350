import type { QuotaGrant, QuotaTurn } from '../../domain/quota-pools.ts';
import type { JobOwner } from './job-owner.ts';

/** What a waiting call knows of its turn. */
export class PoolTurn implements QuotaTurn {
  readonly #clock: Pick<JobOwner, 'now'>;
  #grant: QuotaGrant | undefined;
  #startAt = 0;
  /** Why it could not be looked at the last time. */
  #away: { readonly reason: unknown } | undefined;
  #error: { readonly reason: unknown } | undefined;
  #news = Promise.withResolvers<void>();
  /** Set by the pool. */
  leave: () => void = () => {};

  constructor(clock: Pick<JobOwner, 'now'>) {
    this.#clock = clock;
  }

  get grant(): QuotaGrant | undefined {
    return this.#grant;
  }

  get waitMs(): number {
    return this.#grant ? 0 : Math.max(0, this.#startAt - this.#clock.now());
  }

  /** It was looked at: it has got its grant, or knows when that is expected. */
  looked(result: QuotaGrant | number): void {
    this.#away = undefined;
    if (typeof result === 'number') this.#startAt = result;
    else this.#grant = result;
    this.#tell();
  }

  /** The store is away: whoever has the time waits until it is back. */
  away(reason: unknown): void {
    this.#away = { reason };
    this.#tell();
  }

  failed(reason: unknown): void {
    this.#error = { reason };
    this.#tell();
  }

  async wait(signal: AbortSignal, patienceMs: number): Promise<QuotaGrant | undefined> {
    const until = this.#clock.now() + patienceMs;
    try {
      while (this.#grant === undefined) {
        if (this.#clock.now() + this.waitMs > until) {
          if (this.#away) throw this.#away.reason;
          this.leave();
          return undefined;
        }
        await this.next(signal);
      }
      return this.#grant;
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** Resolves when it was looked at again. */
  async next(signal: AbortSignal): Promise<void> {
    this.#throwIfFailed();
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (signal.aborted) throw signal.reason;
      await Promise.race([this.#news.promise, promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
    this.#throwIfFailed();
  }

  #throwIfFailed(): void {
    if (this.#error) throw this.#error.reason;
  }

  #tell(): void {
    const { resolve } = this.#news;
    this.#news = Promise.withResolvers();
    resolve();
  }
}
