import { describe, expect, test } from 'vitest';
import { type ErrorKind, GatewayError, type Outcome } from '../../src/domain/gateway-error.ts';
import { GenerationRetries, RetryBudget, RetryBudgetSpentError } from '../../src/targets/retry-budget.ts';
import type { TargetCall, TargetHealth } from '../../src/targets/target-health.ts';
import { defaultTimes } from '../../src/targets/times.ts';
import { acquire, fail, healthAt } from './call-target.ts';

const error = (kind: ErrorKind, outcome: Outcome, retryAfterMs?: number) =>
  new GatewayError(kind, 'failed', { outcome, ...(retryAfterMs !== undefined && { retryAfterMs }) });
const day = 24 * 3600 * 1000;
const tellToWait = (target: TargetHealth, ms: number) =>
  fail(target, error('upstream_rate_limited', 'not-processed', ms));
const useless = error('upstream_misconfigured', 'not-processed').with({ isTargetWide: true });

describe('the wait that a target asked for', () => {
  test('is kept until its end, and comes with the failure that told it', async () => {
    const { target } = healthAt(1_000);
    const told = error('upstream_rate_limited', 'not-processed', 100);
    await fail(target, told);
    expect(target.coolDownAt(1_099)).toEqual({ until: 1_100, askedUntil: 1_100, error: told });
    expect(target.coolDownAt(1_100)).toBeUndefined();
  });

  test('is not shortened by a shorter one', async () => {
    const { target, time } = healthAt(1_000);
    await tellToWait(target, 100);
    time.now = 1_001;
    await fail(target, error('upstream_unavailable', 'not-processed', 10));
    expect(target.coolDownAt(1_050)?.until).toBe(1_100);
    time.now = 1_002;
    await fail(target, error('upstream_unavailable', 'not-processed', 500));
    expect(target.coolDownAt(1_400)?.until).toBe(1_502);
  });

  test('is kept although a call succeeds that had started before', async () => {
    const { target } = healthAt(1_000);
    using before = await acquire(target);
    await tellToWait(target, 100);
    before.succeeded();
    expect(target.coolDownAt(1_050)).toBeDefined();
  });

  test('is kept for five minutes at most; then one call tries the target, and the others go on waiting', async () => {
    const { target, time } = healthAt(0);
    await tellToWait(target, day);
    const coolDown = target.coolDownAt(299_999);
    expect([coolDown?.until, coolDown?.askedUntil]).toEqual([300_000, day]);
    expect(target.coolDownAt(300_000)).toBeUndefined();
    time.now = 300_000;
    using trial = await acquire(target);
    expect(target.coolDownAt(300_001)?.until).toBe(600_000);
    time.now = 300_002;
    trial.failed(error('upstream_rate_limited', 'not-processed', day));
    expect(target.coolDownAt(300_003)?.until).toBe(600_002);
  });

  test('is tried by one call from the tick in which that is acquired, although it still waits for its permit', async () => {
    const { target, time } = healthAt(0, 1);
    using held = await acquire(target);
    held.failed(error('upstream_rate_limited', 'not-processed', day));
    time.now = 300_000;
    const left = new AbortController();
    const trial = acquire(target, left.signal);
    expect(target.coolDownAt(300_001)?.until).toBe(600_000);
    left.abort(new Error('left'));
    await expect(trial).rejects.toThrow('left');
    expect(target.coolDownAt(300_001)).toBeUndefined();
  });

  test.each<[string, (trial: TargetCall) => void]>([
    ['succeeds', (trial) => trial.succeeded()],
    ['is refused for its content', (trial) => trial.failed(error('content_policy_violation', 'refused'))],
  ])('is over when the call that tries the target early %s', async (_end, end) => {
    const { target, time } = healthAt(0);
    await tellToWait(target, day);
    time.now = 300_000;
    using trial = await acquire(target);
    end(trial);
    expect(target.coolDownAt(300_002)).toBeUndefined();
  });

  test('is tried by the next call alone when the first one ends without a word', async () => {
    const { target, time } = healthAt(0);
    await tellToWait(target, day);
    time.now = 300_000;
    (await acquire(target))[Symbol.dispose]();
    expect(target.coolDownAt(300_002)).toBeUndefined();
    time.now = 300_002;
    await acquire(target);
    expect(target.coolDownAt(300_003)?.until).toBe(600_002);
  });

  test('does not open the breaker, however often it is told', async () => {
    const { target, time } = healthAt(0);
    for (; time.now < 20; time.now += 1) await fail(target, error('upstream_unavailable', 'not-processed', 1));
    expect(target.breakerState).toBe('closed');
  });
});

describe('the breaker of a target', () => {
  test.each([
    ['upstream_unavailable', 'not-processed'],
    ['upstream_generation_failed', 'failed'],
    ['upstream_outcome_unknown', 'unknown'],
    ['upstream_timeout', 'unknown'],
  ] as const)('opens after five times %s', async (kind, outcome) => {
    const { target } = healthAt(0);
    for (let call = 0; call < 4; call += 1) await fail(target, error(kind, outcome));
    expect(target.breakerState).toBe('closed');
    await fail(target, error(kind, outcome));
    expect(target.breakerState).toBe('open');
  });

  test.each([
    ['upstream_rate_limited', 'not-processed'],
    ['content_policy_violation', 'refused'],
    ['upstream_refused_value', 'refused'],
    ['upstream_transient', 'not-processed'],
    ['upstream_token_refused', 'not-processed'],
    ['upstream_no_image', 'failed'],
    ['upstream_incomplete', 'failed'],
  ] as const)('stays closed after twenty times %s', async (kind, outcome) => {
    const { target } = healthAt(0);
    for (let call = 0; call < 20; call += 1) await fail(target, error(kind, outcome));
    expect(target.breakerState).toBe('closed');
  });

  test('opens with the first failure that cannot depend on the request', async () => {
    const { target } = healthAt(0);
    await fail(target, useless);
    expect(target.breakerState).toBe('open');
  });

  test('stays closed after twenty failures of a set-up that may be wrong for some requests only', async () => {
    const { target } = healthAt(0);
    for (let call = 0; call < 20; call += 1) await fail(target, error('upstream_misconfigured', 'not-processed'));
    expect(target.breakerState).toBe('closed');
  });

  test('lets the next call try when the one that tried was disposed of without a word', async () => {
    const { target, time } = healthAt(0);
    await fail(target, useless);
    time.now = defaultTimes.breakerOpenMs;
    const call = await acquire(target);
    expect(target.allows(time.now)).toBe(false);
    call[Symbol.dispose]();
    expect(target.allows(time.now)).toBe(true);
  });

  test('hears of the end of each call once', async () => {
    const { target } = healthAt(0);
    using call = await acquire(target);
    call.succeeded();
    for (let time = 0; time < 20; time += 1) call.failed(error('upstream_outcome_unknown', 'unknown'));
    expect(target.breakerState).toBe('closed');
  });

  test('counts a response that breaks off after its call had succeeded', async () => {
    const { target } = healthAt(0);
    for (let call = 0; call < 10; call += 1) {
      using acquired = await acquire(target);
      acquired.succeeded();
      acquired.truncated();
    }
    expect(target.breakerState).toBe('open');
  });

  test('goes on trying when the call that tried ended by a mistake of ours', async () => {
    const { target, time } = healthAt(0);
    await fail(target, useless);
    time.now = defaultTimes.breakerOpenMs;
    await fail(target, new TypeError('ours'));
    expect(target.allows(time.now)).toBe(true);
  });
});

describe('a call to a target', () => {
  test('holds its permit until it is disposed of, and once only', async () => {
    const { target } = healthAt(0, 1);
    const call = await acquire(target);
    call.succeeded();
    expect([target.permits.taken, target.permits.isFull]).toEqual([1, true]);
    call[Symbol.dispose]();
    call[Symbol.dispose]();
    expect(target.permits.taken).toBe(0);
  });

  test('says how long it waited for its permit', async () => {
    const { target, time } = healthAt(0, 1);
    const first = await acquire(target);
    const second = acquire(target);
    time.now = 70;
    first[Symbol.dispose]();
    expect([first.queueMs, (await second).queueMs]).toEqual([0, 70]);
  });

  test('that is a retry is refused where the process has no retry left, and holds nothing then', async () => {
    const { target } = healthAt(0);
    const budget = new RetryBudget();
    const retry = (retries: GenerationRetries) =>
      target.acquire(new AbortController().signal, { isRetry: true, retries, isPatient: false });
    const generation = new GenerationRetries(budget);
    const [first, again] = [await retry(generation), await retry(generation)];
    const other = new GenerationRetries(budget);
    await expect(retry(other)).rejects.toThrow(RetryBudgetSpentError);
    expect(target.permits.taken).toBe(2);
    first[Symbol.dispose]();
    await expect(retry(other)).rejects.toThrow(RetryBudgetSpentError);
    again[Symbol.dispose]();
    await expect(retry(other)).resolves.toBeDefined();
  });

  test('whose signal was raised while its permit was granted holds nothing', async () => {
    const { target } = healthAt(0, 1);
    const first = await acquire(target);
    const left = new AbortController();
    const second = acquire(target, left.signal);
    first[Symbol.dispose]();
    left.abort(new Error('left'));
    await expect(second).rejects.toThrow('left');
    expect(target.permits.taken).toBe(0);
  });
});
