import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { refusedPort } from '../helpers/loopback-server.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { metricsOf } from './metrics-of.ts';
import { startUpstream, tinyPng } from './rig.ts';

const times = { lingerMs: 300, backoffMs: 5, maxBackoffMs: 10, minLeftMs: 0, breakerOpenMs: 400 };
const errorText = (code: string, message = 'no') => JSON.stringify({ error: { code, message, type: 'x' } });

type Fault = (response: ServerResponse) => void;

const respondsWith =
  (status: number, text = '', headers: Record<string, string> = {}): Fault =>
  (response) =>
    void response.writeHead(status, headers).end(text);

const good: Fault = respondsWith(200, JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] }));
const failedCall = respondsWith(500, errorText('InternalServerError'));

/** An upstream that plays its fault for as long as it has one. */
async function startFaulty(fault: Fault | undefined) {
  const state = { fault };
  const upstream = await startUpstream((_request, response) => (state.fault ?? good)(response));
  return Object.assign(state, { upstream });
}

/** A gateway with the model `image` at two targets, `east` before `west`. */
async function startTwo(east: Fault | undefined, west?: Fault, modelKeys: Record<string, unknown> = {}) {
  const [first, second] = [await startFaulty(east), await startFaulty(west)];
  const target = (name: string, baseURL: string, priority: number) => ({
    ...{ name, baseURL, priority, apiKey: 'key', provider: 'azure-v1', model: 'gpt-image-1.5' },
  });
  const models = {
    defaultModel: 'image',
    models: {
      image: {
        timeoutMs: 20_000,
        ...modelKeys,
        targets: [target('east', first.upstream.origin, 0), target('west', second.upstream.origin, 1)],
      },
    },
  };
  const gateway = await startGateway(models, { times });
  let count = 0;
  /** Every time for another image, so that nothing is shared. */
  const call = (request: object = {}) => {
    count += 1;
    return callGateway(gateway.url, { prompt: `a cat ${count}`, ...request });
  };
  const received = () => [first.upstream.received, second.upstream.received];
  return { east: first, west: second, gateway, call, received };
}

describe('with another target', () => {
  const elsewhere: [string, Fault][] = [
    ['401', respondsWith(401, errorText('401'))],
    ['403', respondsWith(403, errorText('Forbidden'))],
    [
      'a blocked resource',
      respondsWith(403, errorText('content_policy', 'Your resource has been temporarily blocked')),
    ],
    ['404', respondsWith(404, errorText('DeploymentNotFound'))],
    ['a redirect', respondsWith(307, '', { location: 'http://127.0.0.1:9/' })],
    ['a quota that is used up', respondsWith(429, errorText('insufficient_quota'))],
    ['429', respondsWith(429, errorText('RateLimitReached'), { 'retry-after': '20' })],
    ['503 busy', respondsWith(503, errorText('EngineOverloaded'), { 'retry-after': '20' })],
    ['500', failedCall],
  ];

  test.each(elsewhere)('%s at the first one is no failure', async (_, fault) => {
    const { call, received, gateway } = await startTwo(fault);
    const response = await call();
    const { headers } = response;
    expect([response.status, headers.get('x-gateway-target'), headers.get('x-gateway-attempts')]).toEqual([
      200,
      'west',
      '2',
    ]);
    expect(received()).toEqual([1, 1]);
    const ends = await metricsOf(gateway.url, 'gateway_upstream_attempts_total', 'outcome');
    expect(ends).toEqual({ [fault === failedCall ? 'failed' : 'not-processed']: 1, delivered: 1 });
  });

  test.each([
    ['refused content', respondsWith(400, errorText('content_policy_violation')), 400],
    ['a refused value', respondsWith(400, errorText('invalid_value')), 400],
    ['504', respondsWith(504), 504],
    ['a page', respondsWith(502, '<html>'), 502],
    ['a reset', ((response) => void response.socket?.resetAndDestroy()) as Fault, 502],
    ['no image', respondsWith(200, '{"data":[]}'), 502],
  ])('%s at the first one is the response', async (_, fault, status) => {
    const { call, received } = await startTwo(fault);
    expect((await call()).status).toBe(status);
    expect(received()).toEqual([1, 0]);
  });

  test('a first one that nobody can reach is no failure', async () => {
    const { west, gateway } = await startTwo(undefined);
    const models = {
      models: {
        image: {
          targets: [`http://127.0.0.1:${await refusedPort()}`, west.upstream.origin].map((baseURL, priority) => ({
            ...{ baseURL, priority, apiKey: 'key', provider: 'azure-v1', model: 'gpt-image-1.5' },
          })),
        },
      },
    };
    const { url } = await startGateway(models, { times });
    const response = await callGateway(url, { model: 'image', prompt: 'a cat' });
    expect([response.status, response.headers.get('x-gateway-target')]).toEqual([200, '2']);
    expect(gateway.app.gateway.inFlight).toBe(0);
  });

  test('both of no use are reported once for both', async () => {
    const { call, received } = await startTwo(
      respondsWith(401, errorText('401')),
      respondsWith(404, errorText('Nothing')),
    );
    const response = await call();
    expect([response.status, response.json().error.code]).toEqual([502, 'upstream_misconfigured']);
    expect([response.headers.get('x-should-retry'), received()]).toEqual(['false', [1, 1]]);
  });
});

describe('later requests', () => {
  test('are kept off a target that requested a wait, and come back to it after that', async () => {
    const limited = respondsWith(429, errorText('RateLimitReached'), { 'retry-after-ms': '500' });
    const { east, call, received } = await startTwo(limited);
    await call();
    east.fault = undefined;
    expect((await call()).headers.get('x-gateway-attempts')).toBe('1');
    expect(received()).toEqual([1, 2]);
    await wait(600);
    expect((await call()).headers.get('x-gateway-target')).toBe('east');
    expect(received()).toEqual([2, 2]);
  });

  test('are kept off a target of no use, try it later, and stay when it works', async () => {
    const { east, call, received } = await startTwo(respondsWith(401, errorText('401')));
    await call();
    await call();
    expect(received()).toEqual([1, 2]);
    await wait(450);
    await call();
    expect(received()).toEqual([2, 3]);
    east.fault = undefined;
    // It failed twice in a row, so its cool-down is twice as long.
    await wait(450);
    await call();
    expect(received()).toEqual([2, 4]);
    await wait(450);
    expect((await call()).headers.get('x-gateway-target')).toBe('east');
    expect((await call()).headers.get('x-gateway-target')).toBe('east');
    expect(received()).toEqual([4, 4]);
  });

  test('are kept off a target that has failed five times in a row', async () => {
    const { call, received } = await startTwo(failedCall);
    for (let request = 0; request < 8; request += 1) expect((await call()).status).toBe(200);
    expect(received()).toEqual([5, 8]);
  });

  test('still reach the only target that is left, however often it has failed', async () => {
    const { call, received } = await startTwo(failedCall, failedCall, { maxRetries: 0 });
    for (let request = 0; request < 13; request += 1) expect((await call()).status).toBe(502);
    expect(received().reduce((sum, count) => sum + count)).toBe(13);
  });
});
