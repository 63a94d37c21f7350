import type { FastifyRequest } from 'fastify';
import { describe, expect, test } from 'vitest';
import { callerOf } from '../../src/http/caller-of.ts';

const caller = (headers: Record<string, string | string[]>, clientRetry = 0) =>
  callerOf({ headers, callerId: 'somebody', record: { clientRetry } } as unknown as FastifyRequest);

test('a caller has its id, and asks for nothing by itself', () => {
  expect(caller({})).toEqual({ id: 'somebody', isRetry: false, timeoutMs: undefined, maxRetries: undefined });
  expect(caller({}, 1).isRetry).toBe(true);
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
