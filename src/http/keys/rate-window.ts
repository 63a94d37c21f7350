import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Usage } from '../../domain/consumer-limits.ts';

/** The result of taking points. */
export type Taken = {
  readonly isGranted: boolean;
  readonly usage: Usage;
  /** Puts them back at the first call, if their window still lasts. Resolves with what is used then. */
  refund(): Promise<Usage>;
};

/** The limiter counts for many; each of ours counts for one. */
const counter = 'all';

/** Two results about one window have the same end, but for the time between them. */
const sameEndMs = 500;

/** So many points in each window of time; a window begins with its first use. */
export interface UsageWindow {
  readonly windowMs: number;
  /** What was used stays used when this changes. */
  points: number;
  usage(): Promise<Usage>;
  /** Takes all of these points, or none. */
  take(points: number): Promise<Taken>;
}

/** A window that this process counts alone. */
export class RateWindow implements UsageWindow {
  readonly windowMs: number;
  readonly #limiter: RateLimiterMemory;

  constructor(points: number, windowMs: number) {
    this.windowMs = windowMs;
    this.#limiter = new RateLimiterMemory({ points, duration: windowMs / 1000 });
  }

  get points(): number {
    return this.#limiter.points;
  }

  set points(points: number) {
    this.#limiter.points = points;
  }

  async usage(): Promise<Usage> {
    return this.#usageOf(await this.#limiter.get(counter));
  }

  async take(points: number): Promise<Taken> {
    try {
      const state = await this.#limiter.consume(counter, points);
      const end = endOf(state);
      let isRefunded = false;
      const refund = async () => {
        if (isRefunded) return this.usage();
        isRefunded = true;
        return this.#refund(points, end);
      };
      return { isGranted: true, usage: this.#usageOf(state), refund };
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      // The limiter counts what it refuses, too: one request for more than is left would use up what is left.
      const usage = await this.#refund(points, endOf(refusal));
      return { isGranted: false, usage, refund: () => this.usage() };
    }
  }

  /** In a later window the points would be more than its limit. */
  async #refund(points: number, end: number): Promise<Usage> {
    const state = await this.#limiter.get(counter);
    const isSameWindow = state !== null && state.msBeforeNext > 0 && Math.abs(endOf(state) - end) < sameEndMs;
    return this.#usageOf(isSameWindow ? await this.#limiter.reward(counter, points) : state);
  }

  #usageOf(state: RateLimiterRes | null): Usage {
    const limit = this.points;
    if (state === null) return { limit, remaining: limit, resetMs: 0 };
    return {
      limit,
      remaining: Math.max(0, limit - state.consumedPoints),
      // The limiter reads the time of day, which may jump; its timer, which ends the window, does not.
      resetMs: Math.min(Math.max(0, state.msBeforeNext), this.windowMs),
    };
  }
}

/** By the time of day; equal for all results about one window, even when that was set in between. */
function endOf({ msBeforeNext }: RateLimiterRes): number {
  return Date.now() + msBeforeNext;
}
