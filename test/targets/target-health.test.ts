import { describe, expect, test } from 'vitest';
import { type ErrorKind, GatewayError, type Outcome } from '../../src/domain/gateway-error.ts';
import { TargetHealth } from '../../src/targets/target-health.ts';
import { defaultTimes } from '../../src/targets/times.ts';

const error = (kind: ErrorKind, outcome: Outcome, retryAfterMs?: number) =>
  new GatewayError(kind, 'failed', { outcome, ...(retryAfterMs !== undefined && { retryAfterMs }) });
const health = () => new TargetHealth(10, defaultTimes);
const fail = (target: TargetHealth, failure: unknown, now: number) => target.start(now).failed(failure, now);

describe('the wait that a target asked for', () => {
  test('is kept until its end, and comes with the failure that told it', () => {
    const target = health();
    const told = error('upstream_rate_limited', 'not-processed', 100);
    fail(target, told, 1_000);
    expect(target.coolDownAt(1_099)).toEqual({ until: 1_100, askedUntil: 1_100, error: told });
    expect(target.coolDownAt(1_100)).toBeUndefined();
  });

  test('is not shortened by a shorter one', () => {
    const target = health();
    fail(target, error('upstream_rate_limited', 'not-processed', 100), 1_000);
    fail(target, error('upstream_unavailable', 'not-processed', 10), 1_001);
    expect(target.coolDownAt(1_050)?.until).toBe(1_100);
    fail(target, error('upstream_unavailable', 'not-processed', 500), 1_002);
    expect(target.coolDownAt(1_400)?.until).toBe(1_502);
  });

  test('is kept although a call succeeds that had started before', () => {
    const target = health();
    fail(target, error('upstream_rate_limited', 'not-processed', 100), 1_000);
    target.start(1_000).succeeded();
    expect(target.coolDownAt(1_050)).toBeDefined();
  });

  test('is kept for five minutes at most; then one call tries the target, and the others go on waiting', () => {
    const target = health();
    const day = 24 * 3600 * 1000;
    fail(target, error('upstream_rate_limited', 'not-processed', day), 0);
    const coolDown = target.coolDownAt(299_999);
    expect([coolDown?.until, coolDown?.askedUntil]).toEqual([300_000, day]);
    expect(target.coolDownAt(300_000)).toBeUndefined();
    const trial = target.start(300_000);
    expect(target.coolDownAt(300_001)?.until).toBe(600_000);
    trial.failed(error('upstream_rate_limited', 'not-processed', day), 300_002);
    expect(target.coolDownAt(300_003)?.until).toBe(600_002);
  });

  test.each<[string, (trial: ReturnType<TargetHealth['start']>) => void]>([
    ['succeeds', (trial) => trial.succeeded()],
    ['is refused for its content', (trial) => trial.failed(error('content_policy_violation', 'refused'), 300_001)],
  ])('is over when the call that tries the target early %s', (_end, end) => {
    const target = health();
    fail(target, error('upstream_rate_limited', 'not-processed', 86_400_000), 0);
    end(target.start(300_000));
    expect(target.coolDownAt(300_002)).toBeUndefined();
  });

  test('is tried by the next call alone when the first one ends without a word', () => {
    const target = health();
    fail(target, error('upstream_rate_limited', 'not-processed', 86_400_000), 0);
    target.start(300_000).release(300_001);
    expect(target.coolDownAt(300_002)).toBeUndefined();
    target.start(300_002);
    expect(target.coolDownAt(300_003)?.until).toBe(600_002);
  });

  test('does not open the breaker, however often it is told', () => {
    const target = health();
    for (let call = 0; call < 20; call += 1) fail(target, error('upstream_unavailable', 'not-processed', 1), call);
    expect(target.breaker.state).toBe('closed');
  });
});

describe('the breaker of a target', () => {
  test.each([
    ['upstream_unavailable', 'not-processed'],
    ['upstream_generation_failed', 'failed'],
    ['upstream_outcome_unknown', 'unknown'],
    ['upstream_timeout', 'unknown'],
  ] as const)('opens after five times %s', (kind, outcome) => {
    const target = health();
    for (let call = 0; call < 4; call += 1) fail(target, error(kind, outcome), 0);
    expect(target.breaker.state).toBe('closed');
    fail(target, error(kind, outcome), 0);
    expect(target.breaker.state).toBe('open');
  });

  test.each([
    ['upstream_rate_limited', 'not-processed'],
    ['content_policy_violation', 'refused'],
    ['upstream_refused_value', 'refused'],
    ['upstream_transient', 'not-processed'],
    ['upstream_token_refused', 'not-processed'],
    ['upstream_no_image', 'failed'],
    ['upstream_incomplete', 'failed'],
  ] as const)('stays closed after twenty times %s', (kind, outcome) => {
    const target = health();
    for (let call = 0; call < 20; call += 1) fail(target, error(kind, outcome), 0);
    expect(target.breaker.state).toBe('closed');
  });

  test('opens with the first failure that cannot depend on the request', () => {
    const target = health();
    fail(target, error('upstream_misconfigured', 'not-processed').with({ isTargetWide: true }), 0);
    expect(target.breaker.state).toBe('open');
  });

  test('stays closed after twenty failures of a set-up that may be wrong for some requests only', () => {
    const target = health();
    for (let call = 0; call < 20; call += 1) fail(target, error('upstream_misconfigured', 'not-processed'), call);
    expect(target.breaker.state).toBe('closed');
  });

  test('lets the next call try when the one that tried was released without a word', () => {
    const target = health();
    target.breaker.open(0);
    const now = defaultTimes.breakerOpenMs;
    const call = target.start(now);
    expect(target.breaker.allows(now)).toBe(false);
    call.release(now);
    expect(target.breaker.allows(now)).toBe(true);
  });

  test('hears of each call once', () => {
    const target = health();
    const call = target.start(0);
    call.succeeded();
    for (let time = 0; time < 20; time += 1) call.failed(error('upstream_outcome_unknown', 'unknown'), time);
    expect(target.breaker.state).toBe('closed');
  });

  test('goes on trying when the call that tried ended by a mistake of ours', () => {
    const target = health();
    target.breaker.open(0);
    fail(target, new TypeError('ours'), defaultTimes.breakerOpenMs);
    expect(target.breaker.allows(defaultTimes.breakerOpenMs)).toBe(true);
  });
});
