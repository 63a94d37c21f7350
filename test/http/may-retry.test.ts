import { describe, expect, test } from 'vitest';
import { type ErrorKind, GatewayError, type Outcome } from '../../src/domain/gateway-error.ts';
import { callerViews, mayRetry, type Spent, spentOf } from '../../src/http/error-response.ts';

const kinds = Object.keys(callerViews) as ErrorKind[];
const error = (kind: ErrorKind, outcome?: Outcome, retryAfterMs?: number) =>
  new GatewayError(kind, 'failed', {
    ...(outcome && { outcome }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
const spent = (facts: Partial<Spent>): Spent => ({ sent: true, maxRetries: 0, attempts: 1, ...facts });

describe('a client may retry', () => {
  test.each([
    ['what was refused at once', error('overloaded', undefined, 1_000), undefined],
    ['what has waited in vain', error('overloaded', undefined, 15_000), spent({ sent: false, attempts: 0 })],
    ['what ran out of time before it was sent', error('deadline_exceeded', 'not-processed'), spent({ sent: false })],
    ['a mistake of ours before anything was sent', error('internal_error'), spent({ sent: false })],
    [
      'a busy upstream’s refusal, where the gateway retries nothing',
      error('upstream_unavailable', 'not-processed'),
      spent({}),
    ],
    [
      'a rate limit, where the gateway retries nothing',
      error('upstream_rate_limited', 'not-processed', 60_000),
      spent({}),
    ],
    [
      'what runs on under its Idempotency-Key, which never buys again',
      error('idempotency_in_flight', undefined, 2_000),
      spent({ maxRetries: 2, attempts: 3 }),
    ],
  ])('%s', (_, failure, cost) => {
    expect(mayRetry(failure, cost)).toBe(true);
  });
});

describe('a client must not retry', () => {
  test.each([
    ['what asks for a long wait', error('overloaded', undefined, 60_001), undefined],
    ['a rate limit with a long wait', error('upstream_rate_limited', 'not-processed', 60_001), spent({})],
    ['what the gateway has retried', error('upstream_rate_limited', 'not-processed'), spent({ maxRetries: 2 })],
    ['what failed', error('upstream_generation_failed', 'failed'), spent({})],
    [
      'what ended after an earlier call was sent',
      error('deadline_exceeded', 'not-processed'),
      spent({ maxRetries: 2 }),
    ],
    ['what was refused a slot after an earlier call', error('overloaded'), spent({ maxRetries: 2 })],
    ['a mistake of ours after a call was sent', error('internal_error'), spent({})],
    [
      'one of several calls that was not processed',
      error('upstream_rate_limited', 'not-processed'),
      spent({ attempts: 2 }),
    ],
  ])('%s', (_, failure, cost) => {
    expect(mayRetry(failure, cost)).toBe(false);
  });

  test.each(['store_unavailable', 'storage_full'] as const)('%s, whatever was sent', (kind) => {
    for (const outcome of [undefined, 'not-processed'] as const) {
      expect(mayRetry(error(kind, outcome), undefined)).toBe(false);
      expect(mayRetry(error(kind, outcome), spent({ sent: false, attempts: 0 }))).toBe(false);
      expect(mayRetry(error(kind, outcome), spent({}))).toBe(false);
    }
  });

  const billable = kinds.filter((kind) => kind !== 'idempotency_in_flight');
  test.each(billable)('%s when it may be billed, or was refused', (kind) => {
    for (const facts of [{}, { maxRetries: 2 }, { attempts: 3 }]) {
      expect(mayRetry(error(kind, 'refused'), spent(facts))).toBe(false);
      expect(mayRetry(error(kind, 'unknown'), spent(facts))).toBe(false);
    }
  });

  test.each([
    'upstream_auth_failed',
    'upstream_misconfigured',
    'upstream_quota_exhausted',
    'upstream_blocked',
  ] as const)('%s, which a repetition does not help', (kind) => {
    expect(mayRetry(error(kind, 'not-processed'), spent({}))).toBe(false);
  });
});

describe('of a forwarded request', () => {
  const record = { requestId: 'a', route: '/', startedAt: 0, clientRetry: 0, images: 0, bytesOut: 0, bytesIn: 0 };
  const may = (method: string, sent: boolean, failure: GatewayError) =>
    mayRetry(failure, spentOf({ ...record, method, forwarded: { sent } }));

  test('a client may retry what was not sent, what was not begun, and what costs nothing', () => {
    expect(may('POST', false, error('upstream_unavailable', 'not-processed'))).toBe(true);
    expect(may('POST', true, error('upstream_token_refused', 'not-processed'))).toBe(true);
    expect(may('GET', true, error('upstream_unavailable'))).toBe(true);
    expect(may('DELETE', true, error('internal_error'))).toBe(true);
  });

  test('a client must not retry what may be billed, and what would fail again', () => {
    expect(may('POST', true, error('upstream_outcome_unknown', 'unknown'))).toBe(false);
    expect(may('POST', true, error('internal_error'))).toBe(false);
    expect(may('POST', true, error('upstream_auth_failed', 'not-processed'))).toBe(false);
  });
});
