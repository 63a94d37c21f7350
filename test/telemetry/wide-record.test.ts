import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { RequestRecord } from '../../src/domain/request-record.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { levelOf, wideRecord } from '../../src/telemetry/wide-record.ts';

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
const answered = { how: 'completed', status: 200 } as const;

describe('the log line of a request', () => {
  test('tells equal prompts by length and hash, and never has their text', () => {
    const [one, same, other] = ['a secret prompt', 'a secret prompt', 'another secret!'].map((prompt) =>
      wideRecord({ ...record, request: { ...plainRequest, prompt } }, answered),
    );
    expect(one?.promptLength).toBe(15);
    expect(one?.promptHash).toBe(same?.promptHash);
    expect(one?.promptHash).not.toBe(other?.promptHash);
    expect(JSON.stringify([one, same, other])).not.toContain('secret');
  });

  test('has kind and outcome of our own errors, and of what caused them no message', () => {
    const cause = Object.assign(new Error('connect to secret-host'), { code: 'ECONNREFUSED' });
    const error = new GatewayError('upstream_unavailable', 'message', { outcome: 'not-processed', cause });
    expect(wideRecord({ ...record, error }, { how: 'completed', status: 503 }).error).toEqual({
      kind: 'upstream_unavailable',
      outcome: 'not-processed',
      param: undefined,
      cause: { name: 'Error', code: 'ECONNREFUSED' },
    });
  });

  test('has the stack of a bug', () => {
    const line = wideRecord({ ...record, error: new TypeError('bug') }, { how: 'completed', status: 500 });
    expect(line.error).toMatchObject({ kind: 'TypeError', stack: expect.stringContaining('wide-record.test') });
  });

  test('of a probe is for debugging only', () => {
    expect(levelOf({ ...record, route: '/readyz' }, { how: 'completed', status: 503 })).toBe('debug');
  });

  test.each([
    ['info', undefined, answered],
    ['info', new GatewayError('invalid_value', 'm'), { how: 'completed', status: 400 } as const],
    ['info', undefined, { how: 'disconnected', status: 499 } as const],
    ['warn', new GatewayError('upstream_rate_limited', 'm'), { how: 'completed', status: 429 } as const],
    ['warn', new GatewayError('upstream_outcome_unknown', 'm'), { how: 'truncated', status: 200 } as const],
    ['error', new TypeError('bug'), { how: 'completed', status: 500 } as const],
  ])('is logged as %s for %s', (level, error, end) => {
    expect(levelOf({ ...record, error }, end)).toBe(level);
  });
});
