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

const answered =
  (status: number, text = '', headers: Record<string, string> = {}): Fault =>
  (response) =>
    void response.writeHead(status, headers).end(text);

const good: Fault = answered(200, JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] }));
const failedCall = answered(500, errorText('InternalServerError'));

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
  let asked = 0;
  /** Every time for another image, so that nothing is shared. */
  const ask = (request: object = {}) => {
    asked += 1;
    return callGateway(gateway.url, { prompt: `a cat ${asked}`, ...request });
  };
  const received = () => [first.upstream.received, second.upstream.received];
  return { east: first, west: second, gateway, ask, received };
}

describe('with another target', () => {
  const elsewhere: [string, Fault][] = [
    ['401', answered(401, errorText('401'))],
    ['403', answered(403, errorText('Forbidden'))],
    ['a blocked resource', answered(403, errorText('content_policy', 'Your resource has been temporarily blocked'))],
    ['404', answered(404, errorText('DeploymentNotFound'))],
    ['a redirect', answered(307, '', { location: 'http://127.0.0.1:9/' })],
    ['a quota that is used up', answered(429, errorText('insufficient_quota'))],
    ['429', answered(429, errorText('RateLimitReached'), { 'retry-after': '20' })],
    ['503 busy', answered(503, errorText('EngineOverloaded'), { 'retry-after': '20' })],
    ['500', failedCall],
  ];

  test.each(elsewhere)('%s at the first one is no failure', async (_, fault) => {
    const { ask, received, gateway } = await startTwo(fault);
    const answer = await ask();
    const { headers } = answer;
    expect([answer.status, headers.get('x-gateway-target'), headers.get('x-gateway-attempts')]).toEqual([
      200,
      'west',
      '2',
    ]);
    expect(received()).toEqual([1, 1]);
    const ends = await metricsOf(gateway.url, 'gateway_upstream_attempts_total', 'outcome');
    expect(ends).toEqual({ [fault === failedCall ? 'failed' : 'not-processed']: 1, delivered: 1 });
  });

  test.each([
    ['refused content', answered(400, errorText('content_policy_violation')), 400],
    ['a refused value', answered(400, errorText('invalid_value')), 400],
    ['504', answered(504), 504],
    ['a page', answered(502, '<html>'), 502],
    ['a reset', ((response) => void response.socket?.resetAndDestroy()) as Fault, 502],
    ['no image', answered(200, '{"data":[]}'), 502],
  ])('%s at the first one is the answer', async (_, fault, status) => {
    const { ask, received } = await startTwo(fault);
    expect((await ask()).status).toBe(status);
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
    const answer = await callGateway(url, { model: 'image', prompt: 'a cat' });
    expect([answer.status, answer.headers.get('x-gateway-target')]).toEqual([200, '2']);
    expect(gateway.app.gateway.inFlight).toBe(0);
  });

  test('both of no use are told once for both', async () => {
    const { ask, received } = await startTwo(answered(401, errorText('401')), answered(404, errorText('Nothing')));
    const answer = await ask();
    expect([answer.status, answer.json().error.code]).toEqual([502, 'upstream_misconfigured']);
    expect([answer.headers.get('x-should-retry'), received()]).toEqual(['false', [1, 1]]);
  });
});

describe('later requests', () => {
  test('are kept off a target that asked for a wait, and come back to it after that', async () => {
    const limited = answered(429, errorText('RateLimitReached'), { 'retry-after-ms': '500' });
    const { east, ask, received } = await startTwo(limited);
    await ask();
    east.fault = undefined;
    expect((await ask()).headers.get('x-gateway-attempts')).toBe('1');
    expect(received()).toEqual([1, 2]);
    await wait(600);
    expect((await ask()).headers.get('x-gateway-target')).toBe('east');
    expect(received()).toEqual([2, 2]);
  });

  test('are kept off a target of no use, try it later, and stay when it works', async () => {
    const { east, ask, received } = await startTwo(answered(401, errorText('401')));
    await ask();
    await ask();
    expect(received()).toEqual([1, 2]);
    await wait(450);
    await ask();
    expect(received()).toEqual([2, 3]);
    east.fault = undefined;
    // It failed twice in a row, so it is left alone for twice as long.
    await wait(450);
    await ask();
    expect(received()).toEqual([2, 4]);
    await wait(450);
    expect((await ask()).headers.get('x-gateway-target')).toBe('east');
    expect((await ask()).headers.get('x-gateway-target')).toBe('east');
    expect(received()).toEqual([4, 4]);
  });

  test('are kept off a target that has failed five times in a row', async () => {
    const { ask, received } = await startTwo(failedCall);
    for (let request = 0; request < 8; request += 1) expect((await ask()).status).toBe(200);
    expect(received()).toEqual([5, 8]);
  });

  test('still reach the only target that is left, however often it has failed', async () => {
    const { ask, received } = await startTwo(failedCall, failedCall, { maxRetries: 0 });
    for (let request = 0; request < 13; request += 1) expect((await ask()).status).toBe(502);
    expect(received().reduce((sum, count) => sum + count)).toBe(13);
  });
});
