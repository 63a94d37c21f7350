import Fastify from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ErrorKind, GatewayError } from '../../src/domain/gateway-error.ts';
import { asGatewayError, callerViews, writeError } from '../../src/http/error-response.ts';

const kinds = Object.keys(callerViews) as ErrorKind[];

async function respond(error: GatewayError, sent: boolean, maxRetries = 2) {
  const app = Fastify();
  onTestFinished(() => app.close());
  app.get('/', (_request, reply) => writeError(reply, error, { sent, maxRetries, attempts: 1 }));
  return app.inject('/');
}

describe('an error response', () => {
  test.each(kinds)('of kind %s has OpenAI’s shape, all four members', async (kind) => {
    const { statusCode, headers, body } = await respond(new GatewayError(kind, 'message', { param: 'size' }), false);
    expect(statusCode).toBe(callerViews[kind].status);
    expect(headers['content-type']).toMatch(/^application\/json/);
    const { type, code } = callerViews[kind];
    expect(JSON.parse(body)).toEqual({ error: { message: 'message', type, param: 'size', code } });
  });

  test.each(kinds)('of kind %s is not retried by SDKs once a paid call was sent', async (kind) => {
    const { statusCode, headers } = await respond(new GatewayError(kind, 'message'), true);
    // Behind a 409 is a request with the same key, which is never sent twice.
    const isRepeated = [408, 429].includes(statusCode) || statusCode >= 500 || kind === 'job_not_completed';
    expect(headers['x-should-retry']).toBe(isRepeated ? 'false' : undefined);
  });

  test.each([
    ['the gateway has retried nothing', 'upstream_unavailable', 'not-processed', 0, true, undefined],
    ['the gateway has retried it already', 'upstream_unavailable', 'not-processed', 2, false, 'false'],
    ['the target is of no use', 'upstream_quota_exhausted', 'not-processed', 0, true, 'false'],
    ['it failed', 'upstream_generation_failed', 'failed', 0, true, 'false'],
    ['it may be billed', 'upstream_timeout', 'unknown', 0, true, 'false'],
    ['it was never started', 'overloaded', undefined, 2, false, undefined],
    ['it runs on under its key', 'idempotency_in_flight', undefined, 2, true, undefined],
    ['it could not be recorded', 'store_unavailable', 'not-processed', 0, false, 'false'],
    ['there is no room for its images', 'storage_full', 'not-processed', 0, false, 'false'],
    ['its key belongs to another request', 'idempotency_key_reused', undefined, 2, false, undefined],
    ['its images are gone', 'idempotency_result_gone', undefined, 2, false, undefined],
    ['it is a job that runs', 'job_not_completed', undefined, 2, false, 'false'],
  ] as const)('when %s says truly whether to retry', async (_case, kind, outcome, maxRetries, sent, expected) => {
    const { headers } = await respond(new GatewayError(kind, 'm', outcome && { outcome }), sent, maxRetries);
    expect(headers['x-should-retry']).toBe(expected);
  });

  test('with a long wait is not retried by SDKs, which would not keep it', async () => {
    const { headers } = await respond(new GatewayError('overloaded', 'm', { retryAfterMs: 60_001 }), false);
    expect(headers['x-should-retry']).toBe('false');
  });

  test('tells the wait in both units, never zero seconds', async () => {
    const { headers } = await respond(new GatewayError('upstream_rate_limited', 'm', { retryAfterMs: 1_200 }), true);
    expect([headers['retry-after-ms'], headers['retry-after']]).toEqual(['1200', '2']);
    const now = await respond(new GatewayError('upstream_rate_limited', 'm', { retryAfterMs: 0 }), true);
    expect([now.headers['retry-after-ms'], now.headers['retry-after']]).toEqual(['0', '1']);
  });

  test('of a bug shows nothing but the request’s id', () => {
    const error = asGatewayError(new Error('secret'), 'id-1');
    expect(error.kind).toBe('internal_error');
    expect(error.message).toContain('id-1');
    expect(error.message).not.toContain('secret');
  });
});
