import { GenerationRetries, RetryBudget } from '../../src/targets/retry-budget.ts';
import type { TargetCall, TargetHealth } from '../../src/targets/target-health.ts';
import { TargetHealth as Health } from '../../src/targets/target-health.ts';
import { defaultTimes } from '../../src/targets/times.ts';

const never = new AbortController().signal;

/** A call that is no retry. */
export function acquire(target: TargetHealth, signal = never): Promise<TargetCall> {
  const retries = new GenerationRetries(new RetryBudget());
  return target.acquire(signal, { isRetry: false, retries, isPatient: false });
}

/** A call that fails. */
export async function fail(target: TargetHealth, failure: unknown): Promise<void> {
  using call = await acquire(target);
  call.failed(failure);
}

/** A target whose time a test sets. */
export function healthAt(now: number, maxConcurrent = 10): { target: TargetHealth; time: { now: number } } {
  const time = { now };
  return { target: new Health(maxConcurrent, defaultTimes, { clock: () => time.now }), time };
}
