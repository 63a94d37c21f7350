import type { ServerResponse } from 'node:http';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { FormRecord } from '../../simulator/receive-form.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { refusedPort, serveHttp } from '../helpers/loopback-server.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { metricsOf } from './metrics-of.ts';
import { modelsFile, startRig, startUpstream, tinyPng } from './rig.ts';

const patience = { timeout: 60_000 };
const times = { lingerMs: 500, backoffMs: 10, maxBackoffMs: 20, minLeftMs: 0, maxWaitMs: 1_000 };
const image = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });
const errorText = (code: string) => JSON.stringify({ error: { code, message: 'no', type: 'x' } });

type Fault = (response: ServerResponse) => void;

const answered =
  (status: number, text = '', headers: Record<string, string> = {}): Fault =>
  (response) =>
    void response.writeHead(status, headers).end(text);

/** A gateway in front of an upstream that plays one of these for each call, and then gives images. */
async function startAfter(faults: readonly Fault[], modelKeys: Record<string, unknown> = { maxRetries: 2 }) {
  const left = [...faults];
  const at: number[] = [];
  const upstream = await startUpstream((_request, response) => {
    at.push(performance.now());
    const fault = left.shift() ?? answered(200, image);
    fault(response);
  });
  const gateway = await startGateway(modelsFile(upstream.origin, 20_000, modelKeys), { times });
  const ask = (headers: Record<string, string> = {}, request: object = {}) =>
    callGateway(gateway.url, { prompt: 'a cat', ...request }, { headers });
  return { upstream, gateway, ask, at };
}

const rateLimited = (ms: number) => answered(429, errorText('RateLimitReached'), { 'retry-after-ms': String(ms) });
const busy = answered(503, errorText('EngineOverloaded'), { 'retry-after-ms': '20' });
const failedCall = answered(500, errorText('InternalServerError'));

describe('a call that made nothing is made again', () => {
  test.each([
    ['429 with a wait', rateLimited(50), 'not-processed'],
    ['429 without one', answered(429, errorText('RateLimitReached')), 'not-processed'],
    ['503 busy', busy, 'not-processed'],
    ['500 with an error object', failedCall, 'failed'],
  ])('%s, and then good', async (_, fault, outcome) => {
    const { upstream, gateway, ask } = await startAfter([fault]);
    const answer = await ask();
    expect([answer.status, answer.headers.get('x-gateway-attempts')]).toEqual([200, '2']);
    expect(answer.json().data).toEqual([{ b64_json: tinyPng }]);
    expect(upstream.received).toBe(2);
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(0);
    expect(await metricsOf(gateway.url, 'gateway_upstream_attempts_total', 'outcome')).toEqual({
      [outcome]: 1,
      delivered: 1,
    });
  });

  test('not earlier than the upstream has told', async () => {
    const { ask, at } = await startAfter([rateLimited(300), rateLimited(200)]);
    expect((await ask()).status).toBe(200);
    const [first, second, third] = at as [number, number, number];
    expect(second - first).toBeGreaterThanOrEqual(299);
    expect(third - second).toBeGreaterThanOrEqual(199);
  });

  test('for streams as well, before the first event', async () => {
    const { upstream, ask } = await startAfter([failedCall, busy]);
    const { text } = await ask({}, { stream: true });
    expect(text.match(/^event: .*$/gm)).toEqual(['event: image_generation.completed']);
    expect(upstream.received).toBe(3);
  });

  test('where nobody listens, as often as the model says', async () => {
    const models = modelsFile(`http://127.0.0.1:${await refusedPort()}`, 20_000, { maxRetries: 2 });
    const { url } = await startGateway(models, { times });
    const answer = await callGateway(url, { prompt: 'a cat' });
    expect([answer.status, answer.json().error.code]).toEqual([503, 'upstream_unavailable']);
    expect(answer.headers.get('x-gateway-attempts')).toBe('3');
    expect(answer.headers.get('x-should-retry')).toBe('false');
  });

  test('until the retries are spent', async () => {
    const { upstream, ask } = await startAfter([failedCall, failedCall, failedCall]);
    const answer = await ask();
    expect([answer.status, answer.json().error.code]).toEqual([502, 'upstream_generation_failed']);
    expect([upstream.received, answer.headers.get('x-gateway-attempts')]).toEqual([3, '3']);
  });
});

describe('what a caller may ask of the gateway', () => {
  test.each([
    ['0', '0', 1],
    ['1', '1', 2],
    ['20', '2', 3],
  ])('x-gateway-max-retries %s is %s', async (asked, told, received) => {
    const { upstream, ask } = await startAfter(Array(10).fill(failedCall));
    const answer = await ask({ 'x-gateway-max-retries': asked });
    expect([answer.status, answer.headers.get('x-gateway-max-retries'), upstream.received]).toEqual([
      502,
      told,
      received,
    ]);
    expect(answer.headers.get('x-gateway-timeout-ms')).toBe(null);
  });

  test.each([
    ['1000', '1000'],
    ['900000', '20000'],
  ])('x-gateway-timeout-ms %s is %s', async (asked, told) => {
    const { ask } = await startAfter([]);
    const answer = await ask({ 'x-gateway-timeout-ms': asked });
    expect([answer.status, answer.headers.get('x-gateway-timeout-ms')]).toEqual([200, told]);
    expect(answer.headers.get('x-gateway-max-retries')).toBe(null);
  });

  test('x-gateway-timeout-ms ends the call', async () => {
    const { ask } = await startAfter([() => {}]);
    const begin = performance.now();
    const answer = await ask({ 'x-gateway-timeout-ms': '1000' });
    expect([answer.status, answer.json().error.code]).toEqual([504, 'upstream_outcome_unknown']);
    expect([answer.headers.get('x-should-retry'), answer.headers.get('x-gateway-timeout-ms')]).toEqual([
      'false',
      '1000',
    ]);
    expect(performance.now() - begin).toBeLessThan(2_500);
  });

  test.each([
    ['x-gateway-max-retries', '21'],
    ['x-gateway-max-retries', '-1'],
    ['x-gateway-max-retries', 'many'],
    ['x-gateway-timeout-ms', '999'],
    ['x-gateway-timeout-ms', '900001'],
    ['x-gateway-timeout-ms', '1e3'],
  ])('%s: %s is refused by name, and nothing is sent', async (name, value) => {
    const { upstream, gateway, ask } = await startAfter([]);
    const answer = await ask({ [name]: value });
    const { code, param } = answer.json().error;
    expect([answer.status, code, param]).toEqual([400, 'invalid_value', name]);
    expect([upstream.received, gateway.app.gateway.inFlight]).toEqual([0, 0]);
  });
});

describe('what a client is told', () => {
  const filtered = answered(400, errorText('content_policy_violation'));
  const rows: [string, Fault, number, number, string, string | null, number][] = [
    // situation, fault, maxRetries, status, code, x-should-retry, calls
    ['429, spent', rateLimited(10), 2, 429, 'rate_limit_exceeded', 'false', 3],
    ['429, with nothing to spend', rateLimited(10), 0, 429, 'rate_limit_exceeded', null, 1],
    [
      '429, with a wait of an hour and nothing to spend',
      rateLimited(3_600_000),
      0,
      429,
      'rate_limit_exceeded',
      'false',
      1,
    ],
    ['429, with a wait of an hour', rateLimited(3_600_000), 2, 429, 'rate_limit_exceeded', 'false', 1],
    ['503 busy, spent', busy, 2, 503, 'upstream_unavailable', 'false', 3],
    ['503 busy, with nothing to spend', busy, 0, 503, 'upstream_unavailable', null, 1],
    ['401', answered(401, errorText('401')), 2, 502, 'upstream_auth_failed', 'false', 1],
    ['401, with nothing to spend', answered(401, errorText('401')), 0, 502, 'upstream_auth_failed', 'false', 1],
    ['404', answered(404, errorText('DeploymentNotFound')), 2, 502, 'upstream_misconfigured', 'false', 1],
    [
      'a quota that is used up',
      answered(429, errorText('insufficient_quota')),
      2,
      429,
      'insufficient_quota',
      'false',
      1,
    ],
    [
      'a redirect',
      answered(307, '', { location: 'http://127.0.0.1:9/' }),
      2,
      502,
      'upstream_misconfigured',
      'false',
      1,
    ],
    ['500', failedCall, 2, 502, 'upstream_generation_failed', 'false', 3],
    ['500, with nothing to spend', failedCall, 0, 502, 'upstream_generation_failed', 'false', 1],
    ['500 as a page', answered(500, '<html>'), 2, 502, 'upstream_outcome_unknown', 'false', 1],
    ['504', answered(504), 2, 504, 'upstream_outcome_unknown', 'false', 1],
    ['409', answered(409, errorText('Conflict')), 2, 502, 'upstream_outcome_unknown', 'false', 1],
    ['no image', answered(200, '{"created":1,"data":[]}'), 2, 502, 'upstream_invalid_response', 'false', 1],
    ['refused content', filtered, 2, 400, 'content_policy_violation', null, 1],
    ['a refused value', answered(400, errorText('invalid_value')), 2, 400, 'invalid_value', null, 1],
  ];

  test.each(rows)('%s', async (_, fault, maxRetries, status, code, told, received) => {
    const { upstream, ask } = await startAfter(Array(10).fill(fault), { maxRetries });
    const answer = await ask();
    expect([answer.status, answer.json().error.code]).toEqual([status, code]);
    expect([answer.headers.get('x-should-retry'), upstream.received]).toEqual([told, received]);
  });

  test('how long to wait is what is left of what the upstream has told', async () => {
    const { upstream, ask } = await startAfter([rateLimited(100_000)]);
    const first = await ask();
    expect(Number(first.headers.get('retry-after-ms'))).toBeGreaterThan(99_000);
    expect(first.headers.get('retry-after')).toBe('100');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const second = await ask();
    expect([second.status, upstream.received]).toEqual([429, 1]);
    expect(Number(second.headers.get('retry-after-ms'))).toBeLessThan(99_000);
    expect(Number(second.headers.get('retry-after'))).toBeLessThanOrEqual(99);
    expect(second.headers.get('x-gateway-attempts')).toBe('0');
  });
});

describe('an edit', async () => {
  const photo = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const edit = (url: string, prompt: string) => {
    const body = new FormData();
    body.append('prompt', prompt);
    body.append('image', new Blob([new Uint8Array(photo)], { type: 'image/png' }), 'a.png');
    return fetch(`${url}/v1/images/edits`, { method: 'POST', headers: { 'api-key': gatewayKey }, body });
  };

  test('whose form is refused once is sent again, with every byte', async () => {
    const rig = await startRig({ modelKeys: { maxRetries: 2 } });
    const answer = await edit(rig.url, 'simulate:unsupported-content-type-once');
    expect([answer.status, answer.headers.get('x-gateway-attempts')]).toEqual([200, '2']);
    const [first, second, ...others] = rig.paidPosts().map(({ body }) => body as FormRecord);
    expect(others).toEqual([]);
    expect(second).toEqual(first);
    expect(JSON.stringify(second)).toContain('image/png');
    expect(rig.simulator.ledger.counts()).toMatchObject({ billed: 1, received: 2 });
  });

  test('whose form is refused twice is not sent a third time', async () => {
    const rig = await startRig({ modelKeys: { maxRetries: 5 } });
    const answer = await edit(rig.url, 'simulate:unsupported-content-type');
    expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([502, 'false']);
    expect(rig.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 2 });
  });

  test('sends the same bytes with each retry', async () => {
    const bodies: string[] = [];
    const port = await serveHttp(async (request, response) => {
      const text = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString('latin1');
      const [, boundary = ''] = /boundary=(\S+)/.exec(request.headers['content-type'] ?? '') ?? [];
      bodies.push(text.replaceAll(boundary, 'boundary'));
      const fault = bodies.length < 3 ? failedCall : answered(200, image);
      fault(response);
    });
    const { url } = await startGateway(modelsFile(`http://127.0.0.1:${port}`, 20_000, { maxRetries: 2 }), { times });
    expect((await edit(url, 'a cat')).status).toBe(200);
    expect(bodies).toHaveLength(3);
    expect(bodies[0]).toContain(photo.toString('latin1'));
    expect(new Set(bodies).size).toBe(1);
  });
});
