import { describe, expect, test } from 'vitest';
import { type ErrorKind, GatewayError, type Outcome } from '../../src/domain/gateway-error.ts';
import { TargetHealth } from '../../src/gateway/target-health.ts';
import { usualTimes } from '../../src/gateway/times.ts';

const error = (kind: ErrorKind, outcome: Outcome, retryAfterMs?: number) =>
  new GatewayError(kind, 'failed', { outcome, ...(retryAfterMs !== undefined && { retryAfterMs }) });
const health = () => new TargetHealth(10, usualTimes);

describe('the wait that a target asked for', () => {
  test('is kept until its end, and comes with the failure that told it', () => {
    const target = health();
    const told = error('upstream_rate_limited', 'not-processed', 100);
    target.failed(told, 1_000);
    expect(target.coolDownAt(1_099)).toEqual({ until: 1_100, error: told });
    expect(target.coolDownAt(1_100)).toBeUndefined();
  });

  test('is not shortened by a shorter one', () => {
    const target = health();
    target.failed(error('upstream_rate_limited', 'not-processed', 100), 1_000);
    target.failed(error('upstream_unavailable', 'not-processed', 10), 1_001);
    expect(target.coolDownAt(1_050)?.until).toBe(1_100);
    target.failed(error('upstream_unavailable', 'not-processed', 500), 1_002);
    expect(target.coolDownAt(1_400)?.until).toBe(1_502);
  });

  test('is kept although a call succeeds that had started before', () => {
    const target = health();
    target.failed(error('upstream_rate_limited', 'not-processed', 100), 1_000);
    target.succeeded();
    expect(target.coolDownAt(1_050)).toBeDefined();
  });

  test('does not open the breaker, however often it is told', () => {
    const target = health();
    for (let call = 0; call < 20; call += 1) target.failed(error('upstream_unavailable', 'not-processed', 1), call);
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
    for (let call = 0; call < 4; call += 1) target.failed(error(kind, outcome), 0);
    expect(target.breaker.state).toBe('closed');
    target.failed(error(kind, outcome), 0);
    expect(target.breaker.state).toBe('open');
  });

  test.each([
    ['upstream_rate_limited', 'not-processed'],
    ['content_policy_violation', 'refused'],
    ['upstream_refused_value', 'refused'],
    ['upstream_oddity', 'not-processed'],
    ['upstream_token_refused', 'not-processed'],
    ['upstream_no_image', 'failed'],
    ['upstream_incomplete', 'failed'],
  ] as const)('stays closed after twenty times %s', (kind, outcome) => {
    const target = health();
    for (let call = 0; call < 20; call += 1) target.failed(error(kind, outcome), 0);
    expect(target.breaker.state).toBe('closed');
  });

  test.each([
    'upstream_auth_failed',
    'upstream_misconfigured',
    'upstream_quota_exhausted',
    'upstream_blocked',
  ] as const)('opens with the first %s', (kind) => {
    const target = health();
    target.failed(error(kind, 'not-processed'), 0);
    expect(target.breaker.state).toBe('open');
  });

  test('goes on trying when the call that tried ended by a mistake of ours', () => {
    const target = health();
    target.breaker.open(0);
    target.breaker.started(usualTimes.breakerOpenMs);
    target.failed(new TypeError('ours'), usualTimes.breakerOpenMs);
    expect(target.breaker.allows(usualTimes.breakerOpenMs)).toBe(true);
  });
});
