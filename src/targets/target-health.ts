import { queueLimits, Semaphore } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { Breaker } from './breaker.ts';
import { isTargetFault } from './outcome.ts';
import type { GatewayTimes } from './times.ts';

/**
 * A wait that a target asked for, with the failure that it came with. `until` is when the next request may try it, which
 * is earlier than what was asked for (`askedUntil`) where that is very long.
 */
export type CoolDown = { readonly until: number; readonly askedUntil: number; readonly error: GatewayError };

/** One call to a target, as its health sees it: whoever starts it tells how it ended, or releases it undecided. */
export type TargetCall = {
  succeeded(): void;
  /** The caller's own mistakes and refused content say nothing about the target, nor do mistakes of ours. */
  failed(error: unknown, now: number): void;
  /** The call ended without saying anything about the target. Changes nothing once it was told how it ended. */
  release(now: number): void;
};

/** What is known about a target at the moment, from the calls of all requests. Times are those of `performance.now()`. */
export class TargetHealth {
  readonly slots: Semaphore;
  readonly breaker: Breaker;
  readonly #maxCoolDownMs: number;
  #coolDown: CoolDown | undefined;

  constructor(
    maxConcurrent: number,
    times: GatewayTimes,
    slots = new Semaphore(queueLimits(maxConcurrent, times.queueMs)),
  ) {
    this.slots = slots;
    this.breaker = new Breaker(times);
    this.#maxCoolDownMs = times.maxCoolDownMs;
  }

  /** From now on so many calls may run at once; those that run go on, and count. */
  limit(maxConcurrent: number, times: GatewayTimes): void {
    this.slots.resize(queueLimits(maxConcurrent, times.queueMs));
  }

  /** The wait that is still to be kept, if any. */
  coolDownAt(now: number): CoolDown | undefined {
    return this.#coolDown !== undefined && this.#coolDown.until > now ? this.#coolDown : undefined;
  }

  /** A call begins. It must be told how it ended, or released. */
  start(now: number): TargetCall {
    this.breaker.started(now);
    const trial = this.#startTrial(now);
    let isOver = false;
    const once = (end: () => void) => {
      if (!isOver) end();
      isOver = true;
    };
    return {
      succeeded: () =>
        once(() => {
          this.#endTrial(trial);
          this.breaker.succeeded();
        }),
      failed: (error, at) =>
        once(() => {
          if (!(error instanceof GatewayError)) return this.#endUndecided(trial, at);
          this.#endTrial(trial);
          this.#judge(error, at);
        }),
      release: (at) => once(() => this.#endUndecided(trial, at)),
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
  #endUndecided(trial: CoolDown | undefined, now: number): void {
    if (trial !== undefined && this.#coolDown === trial) this.#coolDown = { ...trial, until: now };
    this.breaker.undecided(now);
  }

  /** A wait that was asked for meanwhile is kept. */
  #endTrial(trial: CoolDown | undefined): void {
    if (trial !== undefined && this.#coolDown === trial) this.#coolDown = undefined;
  }

  #judge(error: GatewayError, now: number): void {
    const { retryAfterMs } = error;
    if (retryAfterMs !== undefined) this.#coolDownFor(retryAfterMs, error, now);
    if (error.isTargetWide) this.breaker.open(now);
    else if (retryAfterMs === undefined && isTargetFault(error)) this.breaker.failed(now);
    else this.breaker.undecided(now);
  }

  /** A hint may be wrong, or outdated soon: one of a day must not take the target out for a day. */
  #coolDownFor(askedMs: number, error: GatewayError, now: number): void {
    const askedUntil = now + askedMs;
    const until = now + Math.min(askedMs, this.#maxCoolDownMs);
    if (until > (this.#coolDown?.until ?? 0)) this.#coolDown = { until, askedUntil, error };
  }
}
