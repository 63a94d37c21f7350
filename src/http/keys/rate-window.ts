import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** How much of a window is used. */
export type Usage = {
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends and everything is there again, in milliseconds; 0 before its first use. */
  readonly resetMs: number;
};

/** What came of taking points. */
export type Taken = {
  readonly isGranted: boolean;
  readonly usage: Usage;
  /** Takes them back, if their window still lasts, at the first call. Resolves with what is used then. */
  giveBack(): Promise<Usage>;
};

/** The limiter counts for many; each of ours counts for one. */
const counter = 'all';

/** Two answers about one window tell the same end, but for the time between them. */
const sameEndMs = 500;

/** So many points in each window of time; a window begins with its first use. */
export class RateWindow {
  readonly windowMs: number;
  readonly #limiter: RateLimiterMemory;

  constructor(points: number, windowMs: number) {
    this.windowMs = windowMs;
    this.#limiter = new RateLimiterMemory({ points, duration: windowMs / 1000 });
  }

  get points(): number {
    return this.#limiter.points;
  }

  /** What was used stays used. */
  set points(points: number) {
    this.#limiter.points = points;
  }

  async usage(): Promise<Usage> {
    return this.#usageOf(await this.#limiter.get(counter));
  }

  /** Takes all of these points, or none. */
  async take(points: number): Promise<Taken> {
    try {
      const state = await this.#limiter.consume(counter, points);
      const end = endOf(state);
      let isGivenBack = false;
      const giveBack = async () => {
        if (isGivenBack) return this.usage();
        isGivenBack = true;
        return this.#giveBack(points, end);
      };
      return { isGranted: true, usage: this.#usageOf(state), giveBack };
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      // The limiter counts what it refuses, too: one request for more than is left would use up what is left.
      const usage = await this.#giveBack(points, endOf(refusal));
      return { isGranted: false, usage, giveBack: () => this.usage() };
    }
  }

  /** In a later window the points would be more than its limit. */
  async #giveBack(points: number, end: number): Promise<Usage> {
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

/** By the time of day; equal for all answers about one window, even when that was set in between. */
function endOf({ msBeforeNext }: RateLimiterRes): number {
  return Date.now() + msBeforeNext;
}
