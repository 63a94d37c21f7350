import type { FastifyRequest } from 'fastify';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { GenerationReport, KeyedAs } from '../../src/domain/generation-reader.ts';
import { callerOf, generationHeaders, rateLimitHeaders } from '../../src/http/gateway-headers.ts';

const caller = (headers: Record<string, string | string[]>, clientRetry = 0, further: object = {}) =>
  callerOf({
    headers,
    raw: { headersDistinct: {} },
    consumerId: 'somebody',
    record: { clientRetry },
    ...further,
  } as unknown as FastifyRequest);

test('a caller has its id, and asks for nothing by itself', () => {
  expect(caller({})).toEqual({ id: 'somebody', isRetry: false });
  expect(caller({}, 1).isRetry).toBe(true);
});

test('a caller has its Idempotency-Key, and the refusal of its used-up quota', () => {
  const refusal = new GatewayError('rate_limited', 'Too many.');
  const raw = { headersDistinct: { 'idempotency-key': ['"k"'] } };
  expect(caller({}, 0, { raw, quota: { refusal } })).toMatchObject({ idempotencyKey: 'k', refusal });
});

describe('limits that a caller sets', () => {
  test.each([
    ['1000', 1_000],
    [' 900000 ', 900_000],
    ['0005000', 5_000],
  ])('a timeout of %j is %i ms', (text, timeoutMs) => {
    expect(caller({ 'x-gateway-timeout-ms': text })).toMatchObject({ timeoutMs });
  });

  test.each([
    ['0', 0],
    ['20', 20],
  ])('%s retries are %i', (text, maxRetries) => {
    expect(caller({ 'x-gateway-max-retries': text })).toMatchObject({ maxRetries });
  });

  const none = ['', ' ', '-1', '+5', '1e3', '0x10', '5.5', '9'.repeat(10), 'NaN', 'Infinity', '1 2', '٣'];
  test.each([
    ...[...none, '999', '900001'].map((text) => ['x-gateway-timeout-ms', text] as const),
    ...[...none, '21'].map((text) => ['x-gateway-max-retries', text] as const),
  ])('%s: %j is refused by name', (name, text) => {
    const refusal = expect.objectContaining({ kind: 'invalid_value', param: name });
    expect(() => caller({ [name]: text })).toThrow(refusal);
    expect(() => caller({ [name]: [text, text] })).toThrow(refusal);
  });
});

test.each([
  [0, '0s'],
  [1, '1ms'],
  [20.2, '21ms'],
  [999, '999ms'],
  [1_000, '1s'],
  [1_001, '2s'],
  [60_000, '1m0s'],
  [90_500, '1m31s'],
  [360_000, '6m0s'],
  [3_600_000, '1h0m0s'],
  [86_400_000, '24h0m0s'],
])('%i ms are written as %s, as OpenAI does', (resetMs, text) => {
  expect(rateLimitHeaders('requests', { limit: 60, remaining: 7, resetMs })).toEqual({
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '7',
    'x-ratelimit-reset-requests': text,
  });
});

test.each([
  ['that a request has started', 5, '3'],
  ['that a request has rejoined', 4, undefined],
])('headers about the quota come with a generation %s', (_, startedAt, remaining) => {
  const imageQuota = { limit: 5, remaining: 3, resetMs: 1_000 };
  const report = { model: 'image', attempts: 1, adaptations: [], queueMs: 0, startedAt, imageQuota };
  const request = { headers: {}, record: { startedAt: 5 } } as unknown as FastifyRequest;
  const headers = generationHeaders(report as unknown as GenerationReport, request);
  expect(headers['x-ratelimit-remaining-images']).toBe(remaining);
});

test.each<[string, KeyedAs | undefined, object]>([
  ['no key', undefined, {}],
  ['a new key', 'first', { 'x-gateway-job': 'imgjob_job-1' }],
  ['the key of a running request', 'joined', { 'x-gateway-job': 'imgjob_job-1' }],
  ['the key of an ended request', 'replayed', { 'x-gateway-job': 'imgjob_job-1', 'idempotent-replayed': 'true' }],
])('%s: the headers about it are those and no other', (_, keyedAs, expected) => {
  const report = { id: 'job-1', model: 'image', attempts: 1, adaptations: [], queueMs: 0, startedAt: 5, keyedAs };
  const request = { headers: {}, record: { startedAt: 5 } } as unknown as FastifyRequest;
  const headers = generationHeaders(report as unknown as GenerationReport, request);
  const about = Object.entries(headers).filter(([name]) => name === 'x-gateway-job' || name.startsWith('idempotent'));
  expect(Object.fromEntries(about)).toEqual(expected);
});
