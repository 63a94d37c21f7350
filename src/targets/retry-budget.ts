import { type Release, releaseOnce } from '../concurrency/semaphore.ts';

/**
 * Bounds the retries of the whole process that are under way, so that they never become a flood of their own: a tenth of
 * all upstream calls that run, but one at least.
 */
export class RetryBudget {
  #calls = 0;
  #retries = 0;

  /** A call begins that is no retry. */
  startCall(): Release {
    return this.#count('call');
  }

  /** A retry begins; `undefined`: there are too many already. */
  startRetry(): Release | undefined {
    if (this.#retries >= Math.max(1, Math.floor(this.#calls / 10))) return undefined;
    return this.#count('retry');
  }

  #count(kind: 'call' | 'retry'): Release {
    this.#calls += 1;
    if (kind === 'retry') this.#retries += 1;
    return releaseOnce(() => {
      this.#calls -= 1;
      if (kind === 'retry') this.#retries -= 1;
    });
  }
}
