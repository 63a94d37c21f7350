import { describe, expect, test } from 'vitest';
import { costOfImages } from '../../src/domain/cost.ts';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { GenerationReport } from '../../src/domain/generation-reader.ts';
import type { RequestRecord } from '../../src/domain/request-record.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { billFacts, canonicalLine, generationLine, levelOf, requestLine } from '../../src/telemetry/log-lines.ts';

const record: RequestRecord = {
  requestId: 'id',
  method: 'POST',
  route: '/v1/images/generations',
  startedAt: performance.now(),
  clientRetry: 0,
  images: 1,
  bytesOut: 10,
  bytesIn: 20,
};
const completed = { how: 'completed', status: 200 } as const;

describe('the log line of a request', () => {
  test('tells equal prompts by length and hash, and never has their text', () => {
    const [one, same, other] = ['a secret prompt', 'a secret prompt', 'another secret!'].map((prompt) =>
      requestLine({ ...record, request: { ...plainRequest, prompt } }, completed),
    );
    expect(one?.promptLength).toBe(15);
    expect(one?.promptHash).toBe(same?.promptHash);
    expect(one?.promptHash).not.toBe(other?.promptHash);
    expect(JSON.stringify([one, same, other])).not.toContain('secret');
  });

  test('has kind and outcome of our own errors, and of what caused them no message', () => {
    const cause = Object.assign(new Error('connect to secret-host'), { code: 'ECONNREFUSED' });
    const error = new GatewayError('upstream_unavailable', 'message', { outcome: 'not-processed', cause });
    expect(requestLine({ ...record, error }, { how: 'completed', status: 503 }).error).toEqual({
      kind: 'upstream_unavailable',
      outcome: 'not-processed',
      param: undefined,
      cause: { name: 'Error', code: 'ECONNREFUSED' },
    });
  });

  test('has the stack of a bug', () => {
    const line = requestLine({ ...record, error: new TypeError('bug') }, { how: 'completed', status: 500 });
    expect(line.error).toMatchObject({ kind: 'TypeError', stack: expect.stringContaining('log-lines.test') });
  });

  test('of a probe is for debugging only', () => {
    expect(levelOf({ ...record, route: '/readyz' }, { how: 'completed', status: 503 })).toBe('debug');
  });

  test.each([
    ['info', undefined, completed],
    ['info', new GatewayError('invalid_value', 'm'), { how: 'completed', status: 400 } as const],
    ['info', undefined, { how: 'disconnected', status: 499 } as const],
    ['warn', new GatewayError('upstream_rate_limited', 'm'), { how: 'completed', status: 429 } as const],
    ['warn', new GatewayError('upstream_outcome_unknown', 'm'), { how: 'truncated', status: 200 } as const],
    ['error', new TypeError('bug'), { how: 'completed', status: 500 } as const],
  ])('is logged as %s for %s', (level, error, end) => {
    expect(levelOf({ ...record, error }, end)).toBe(level);
  });
});

describe('the log lines of a generation', () => {
  const report: GenerationReport = {
    ...{
      id: 'generation',
      model: 'poster',
      target: 'east',
      provider: 'azure-v1',
      asked: {},
      attempts: 2,
      sent: true,
      maxRetries: 2,
    },
    ...{ timeoutMs: 1_000, queueMs: 2.4, adaptations: ['n=fan-out'], upstreamMs: 70.2, startedAt: record.startedAt },
    ...{ knownAt: undefined, bill: { cost: 0n, currency: undefined, mayBeMore: false }, costAhead: undefined },
    upstreamRequestId: 'azure-id',
  };
  const served: RequestRecord = { ...record, generation: { report }, count: 3, images: 2 };

  test('share their id, and have no other field in common', () => {
    const facts = { report, outcome: 'delivered', count: 3, images: 2 } as const;
    const generation = generationLine({ requestId: 'id', ...facts });
    expect(generation).toEqual({
      ...{ requestId: 'id', outcome: 'delivered', model: 'poster', target: 'east', provider: 'azure-v1', attempts: 2 },
      ...{ sent: true, adaptations: ['n=fan-out'], queueMs: 2, upstreamMs: 70, upstreamRequestId: 'azure-id' },
      ...{ count: 3, images: 2, cost: 0 },
    });
    const request = requestLine(served, completed);
    expect(Object.keys(request).filter((name) => name in generation)).toEqual(['requestId']);
    expect(canonicalLine(served, completed)).toMatchObject({ ...request, ...generation });
  });

  test.each([
    ['delivered', undefined, completed],
    ['abandoned', undefined, { how: 'disconnected', status: 499 } as const],
    ['truncated', new Error('cut'), { how: 'truncated', status: 200 } as const],
    [
      'unknown',
      new GatewayError('upstream_timeout', 'm', { outcome: 'unknown' }),
      { how: 'completed', status: 504 } as const,
    ],
    [undefined, new GatewayError('overloaded', 'm'), { how: 'completed', status: 503 } as const],
  ])('have the outcome %s', (outcome, error, end) => {
    expect(canonicalLine({ ...served, error }, end).outcome).toBe(outcome);
  });
});

const four = costOfImages(0.04, 1);

test.each([
  ['known', { cost: four, currency: 'EUR', mayBeMore: false }, { cost: 0.04, currency: 'EUR' }],
  [
    'known in part',
    { cost: four, currency: 'EUR', mayBeMore: true },
    { cost: 0.04, currency: 'EUR', costMayBeMore: true },
  ],
  ['without a price', { cost: undefined, currency: undefined, mayBeMore: false }, { cost: null }],
  ['of what may have been billed', { cost: 0n, currency: 'EUR', mayBeMore: true }, { cost: null, costMayBeMore: true }],
  ['of nothing', { cost: 0n, currency: undefined, mayBeMore: false }, { cost: 0 }],
])('the cost %s', (_, bill, facts) => {
  expect(billFacts(bill)).toEqual(facts);
});
