import { GatewayError } from '../domain/gateway-error.ts';
import { queueLimits, Semaphore } from '../domain/semaphore.ts';
import { Breaker } from './breaker.ts';
import { isTargetFault, isUselessTarget } from './outcome.ts';
import type { GatewayTimes } from './times.ts';

/** A wait that a target asked for, with the failure that it came with. */
export type CoolDown = { readonly until: number; readonly error: GatewayError };

/** What is known about a target at the moment, from the calls of all requests. Times are those of `performance.now()`. */
export class TargetHealth {
  readonly slots: Semaphore;
  readonly breaker: Breaker;
  #coolDown: CoolDown | undefined;

  constructor(
    maxConcurrent: number,
    times: GatewayTimes,
    slots = new Semaphore(queueLimits(maxConcurrent, times.queueMs)),
  ) {
    this.slots = slots;
    this.breaker = new Breaker(times);
  }

  /** From now on so many calls may run at once; those that run go on, and count. */
  limit(maxConcurrent: number, times: GatewayTimes): void {
    this.slots.resize(queueLimits(maxConcurrent, times.queueMs));
  }

  /** The wait that is still to be kept, if any. */
  coolDownAt(now: number): CoolDown | undefined {
    return this.#coolDown !== undefined && this.#coolDown.until > now ? this.#coolDown : undefined;
  }

  /** A wait that was asked for meanwhile is kept all the same: this call had started before. */
  succeeded(): void {
    this.breaker.succeeded();
  }

  /** The caller's own mistakes and refused content say nothing about the target, nor do mistakes of ours. */
  failed(error: unknown, now: number): void {
    if (error instanceof GatewayError) this.#judge(error, now);
    else this.breaker.undecided(now);
  }

  #judge(error: GatewayError, now: number): void {
    const { retryAfterMs } = error;
    const until = now + (retryAfterMs ?? 0);
    if (retryAfterMs !== undefined && until > (this.#coolDown?.until ?? 0)) this.#coolDown = { until, error };
    if (isUselessTarget(error)) this.breaker.open(now);
    else if (retryAfterMs === undefined && isTargetFault(error)) this.breaker.failed(now);
    else this.breaker.undecided(now);
  }
}
