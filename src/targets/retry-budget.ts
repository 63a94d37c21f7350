import { type Release, releaseOnce } from '../concurrency/semaphore.ts';

/**
 * Bounds the retries of the whole process that are under way, so that they never become a flood of their own: a tenth of
 * all upstream calls that run, but one at least.
 */
export class RetryBudget {
  #calls = 0;
  #retries = 0;

  /** A call begins; `undefined`: it is a retry, and there are too many already. */
  start({ isRetry }: { readonly isRetry: boolean }): Release | undefined {
    if (isRetry && this.#retries >= Math.max(1, Math.floor(this.#calls / 10))) return undefined;
    const retries = isRetry ? 1 : 0;
    this.#calls += 1;
    this.#retries += retries;
    return releaseOnce(() => {
      this.#calls -= 1;
      this.#retries -= retries;
    });
  }
}

/** The process has no retry left. */
export class RetryBudgetSpentError extends Error {
  override readonly name = 'RetryBudgetSpentError';
}

/** The calls of one generation: it counts once among the retries of the process, however many of its calls are retried. */
export class GenerationRetries {
  readonly #budget: RetryBudget;
  #running = 0;
  #end: Release | undefined;

  constructor(budget: RetryBudget) {
    this.#budget = budget;
  }

  /** Counts a call while it runs. Throws a RetryBudgetSpentError for a retry that there is no room for. */
  start(isRetry: boolean): Release {
    if (!isRetry) return this.#budget.start({ isRetry }) as Release;
    this.#end ??= this.#budget.start({ isRetry });
    if (this.#end === undefined) throw new RetryBudgetSpentError();
    this.#running += 1;
    return releaseOnce(() => {
      this.#running -= 1;
      if (this.#running > 0) return;
      this.#end?.();
      this.#end = undefined;
    });
  }
}
