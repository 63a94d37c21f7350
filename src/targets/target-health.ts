import { queueLimits, type Release, Semaphore } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { BreakerState } from '../domain/gateway-state.ts';
import { Breaker } from './breaker.ts';
import { isTargetFault } from './outcome.ts';
import type { GenerationRetries } from './retry-budget.ts';
import type { GatewayTimes } from './times.ts';

/**
 * A wait that a target asked for, with the failure that it came with. `until` is when the next request may try it, which
 * is earlier than what was asked for (`askedUntil`) where that is very long.
 */
export type CoolDown = { readonly until: number; readonly askedUntil: number; readonly error: GatewayError };

/** What was learned about a target, and other processes should know. */
export type Learned =
  | ({ readonly what: 'cool-down' } & CoolDown)
  | { readonly what: 'breaker'; readonly until: number };

/**
 * One call to a target: its permit, its place in the retry budget, and what it shows of the target's health. Whoever acquires
 * it reports how the call ended and disposes of it; a call whose end was not reported says nothing about the target.
 */
export interface TargetCall extends Disposable {
  /** How long it waited for a permit, in milliseconds. */
  readonly queueMs: number;
  succeeded(): void;
  /** The client's own mistakes and refused content say nothing about the target, nor do mistakes of ours. */
  failed(error: unknown): void;
  /** The response of a call that had succeeded broke off. */
  truncated(): void;
}

/** How a call is counted. */
export type CallKind = {
  readonly isRetry: boolean;
  readonly retries: GenerationRetries;
  /** Waits for a permit however many wait already: rejecting a later leg would waste the legs that are billed. */
  readonly isPatient: boolean;
};

type Options = {
  /** Those of the same deployment before a reload: calls that still run keep their permits. */
  readonly permits?: Semaphore;
  /** In milliseconds; by default `performance.now`. */
  readonly clock?: () => number;
};

/** What is known about a target at the moment, from the calls of all requests. Times are those of `performance.now()`. */
export class TargetHealth {
  readonly permits: Semaphore;
  /** Gets what is learned from calls of this process. */
  onLearned: ((learned: Learned) => void) | undefined;
  readonly #breaker: Breaker;
  readonly #maxCoolDownMs: number;
  readonly #clock: () => number;
  #coolDown: CoolDown | undefined;

  constructor(maxConcurrent: number, times: GatewayTimes, { permits, clock }: Options = {}) {
    this.permits = permits ?? new Semaphore(queueLimits(maxConcurrent, times.queueMs));
    this.#breaker = new Breaker(times);
    this.#maxCoolDownMs = times.maxCoolDownMs;
    this.#clock = clock ?? (() => performance.now());
  }

  /** From now on so many calls may run at once; those that run go on, and count. */
  limit(maxConcurrent: number, times: GatewayTimes): void {
    this.permits.resize(queueLimits(maxConcurrent, times.queueMs));
  }

  /** For metrics. */
  get breakerState(): BreakerState {
    return this.#breaker.state;
  }

  /** Whether the breaker lets a call through. */
  allows(now: number): boolean {
    return this.#breaker.allows(now);
  }

  /** The wait that is still to be kept, if any. */
  coolDownAt(now: number): CoolDown | undefined {
    return this.#coolDown !== undefined && this.#coolDown.until > now ? this.#coolDown : undefined;
  }

  /** Another process has learned this. A longer wait that is known here is kept. */
  adopt(learned: Learned): void {
    if (learned.what === 'breaker') this.#breaker.adopt(learned.until);
    else if (learned.until > (this.#coolDown?.until ?? 0)) this.#coolDown = learned;
  }

  /**
   * Begins a call, in this tick: whoever chooses after that sees it. Resolves when it has a permit. Rejects with the signal's
   * reason, with `overloaded`, and with a RetryBudgetSpentError; nothing is held then.
   */
  async acquire(signal: AbortSignal, { isRetry, retries, isPatient }: CallKind): Promise<TargetCall> {
    const begin = this.#clock();
    this.#breaker.started(begin);
    const trial = this.#startTrial(begin);
    let endRetry: Release | undefined;
    try {
      endRetry = retries.start(isRetry);
      const release = await this.permits.acquire(signal, { isPatient });
      const call = this.#call(trial, this.#clock() - begin, () => {
        release();
        endRetry?.();
      });
      // The permit may have been granted, and the signal raised, in the same moment.
      if (!signal.aborted) return call;
      call[Symbol.dispose]();
      throw signal.reason;
    } catch (error) {
      endRetry?.();
      this.#endUndecided(trial);
      throw error;
    }
  }

  #call(trial: CoolDown | undefined, queueMs: number, release: Release): TargetCall {
    let isReported = false;
    const reportOnce = (report: () => void) => {
      if (!isReported) report();
      isReported = true;
    };
    return {
      queueMs,
      succeeded: () =>
        reportOnce(() => {
          this.#endTrial(trial);
          this.#breaker.succeeded();
        }),
      failed: (error) => reportOnce(() => this.#judge(error, trial)),
      truncated: () => this.#count(() => this.#breaker.failed(this.#clock())),
      [Symbol.dispose]: () => {
        reportOnce(() => this.#endUndecided(trial));
        release();
      },
    };
  }

  /**
   * The first call after a cool-down that was cut short tries the target alone: the others keep the cool-down until it
   * has ended, or for as long again.
   */
  #startTrial(now: number): CoolDown | undefined {
    const coolDown = this.#coolDown;
    if (coolDown === undefined || coolDown.until > now || coolDown.askedUntil <= now) return undefined;
    this.#coolDown = { ...coolDown, until: now + this.#maxCoolDownMs };
    return this.#coolDown;
  }

  /** The call says nothing about the target: the next one tries it, alone again where this one was to do that. */
  #endUndecided(trial: CoolDown | undefined): void {
    const now = this.#clock();
    if (trial !== undefined && this.#coolDown === trial) this.#coolDown = { ...trial, until: now };
    this.#breaker.undecided(now);
  }

  /** A wait that was asked for meanwhile is kept. */
  #endTrial(trial: CoolDown | undefined): void {
    if (trial !== undefined && this.#coolDown === trial) this.#coolDown = undefined;
  }

  #judge(error: unknown, trial: CoolDown | undefined): void {
    if (!(error instanceof GatewayError)) {
      this.#endUndecided(trial);
      return;
    }
    this.#endTrial(trial);
    const now = this.#clock();
    const { retryAfterMs } = error;
    if (retryAfterMs !== undefined) this.#coolDownFor(retryAfterMs, error, now);
    if (error.isTargetWide) this.#count(() => this.#breaker.open(now));
    else if (retryAfterMs === undefined && isTargetFault(error)) this.#count(() => this.#breaker.failed(now));
    else this.#breaker.undecided(now);
  }

  /** A hint may be wrong, or outdated soon: one of a day must not take the target out for a day. */
  #coolDownFor(askedMs: number, error: GatewayError, now: number): void {
    const askedUntil = now + askedMs;
    const until = now + Math.min(askedMs, this.#maxCoolDownMs);
    if (until <= (this.#coolDown?.until ?? 0)) return;
    this.#coolDown = { until, askedUntil, error };
    this.onLearned?.({ what: 'cool-down', ...this.#coolDown });
  }

  /** Counts a failure, which may open the breaker. */
  #count(failure: () => void): void {
    const before = this.#breaker.openUntil;
    failure();
    const until = this.#breaker.openUntil;
    if (until !== undefined && until !== before) this.onLearned?.({ what: 'breaker', until });
  }
}
