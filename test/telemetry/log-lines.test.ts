import { describe, expect, test } from 'vitest';
import { costOfImages } from '../../src/domain/cost.ts';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { GenerationReport } from '../../src/domain/generation-reader.ts';
import type { GenerationRecord } from '../../src/domain/recorder.ts';
import type { RequestRecord } from '../../src/domain/request-record.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { billFacts, generationLine, levelOf, levelOfGeneration, requestLine } from '../../src/telemetry/log-lines.ts';

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

describe('the log line of a generation', () => {
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
    ...{
      knownAt: undefined,
      bill: { cost: 0n, currency: undefined, mayBeMore: false, isEstimate: false },
      costAhead: undefined,
    },
    upstreamRequestId: 'azure-id',
  };
  const served: RequestRecord = { ...record, generation: { report }, count: 3, images: 2 };

  const generation: GenerationRecord = {
    ...{ requestId: 'id', traceId: undefined, report, outcome: 'delivered', error: undefined },
    ...{ request: { ...plainRequest, count: 3, prompt: 'a secret prompt' }, images: 2, durationMs: 71.4 },
  };

  test('has what its calls were and cost, and no prompt', () => {
    const line = generationLine(generation);
    expect(line).toEqual({
      ...{ generation: 'generation', requestId: 'id', outcome: 'delivered', durationMs: 71, model: 'poster' },
      ...{ target: 'east', provider: 'azure-v1', attempts: 2, sent: true, adaptations: ['n=fan-out'], queueMs: 2 },
      ...{ upstreamMs: 70, upstreamRequestId: 'azure-id', count: 3, images: 2, cost: 0 },
    });
    expect(JSON.stringify(line)).not.toContain('secret');
  });

  test('is named by the lines of its requests, which have what concerns them alone', () => {
    const request = requestLine(served, completed);
    expect(request).toMatchObject({ generation: 'generation', count: 3, images: 2 });
    const shared = Object.keys(request).filter((name) => name in generationLine(generation));
    expect(shared.sort()).toEqual(['count', 'durationMs', 'generation', 'images', 'requestId']);
  });

  test.each([
    ['info', 'delivered', undefined],
    ['info', 'abandoned', undefined],
    ['info', 'refused', new GatewayError('content_policy_violation', 'm', { outcome: 'refused' })],
    ['info', undefined, new GatewayError('overloaded', 'm')],
    ['warn', 'unknown', new GatewayError('upstream_timeout', 'm', { outcome: 'unknown' })],
    ['warn', 'truncated', new GatewayError('upstream_outcome_unknown', 'm')],
    ['error', undefined, new TypeError('bug')],
  ] as const)('is logged as %s when it is %s', (level, outcome, error) => {
    expect(levelOfGeneration({ ...generation, outcome, error })).toBe(level);
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
  expect(billFacts({ ...bill, isEstimate: false })).toEqual(facts);
});

test('a cost by list prices says that it is estimated', () => {
  const bill = { cost: four, currency: 'USD', mayBeMore: false, isEstimate: true };
  expect(billFacts(bill)).toEqual({ cost: 0.04, currency: 'USD', costEstimated: true });
});
