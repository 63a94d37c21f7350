import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import type { Phase } from '../../src/http/lifecycle.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { exchange, generationsPath, modelsFile, startRig, startUpstream, tinyPng } from './rig.ts';

const key = { 'api-key': gatewayKey };

async function get(url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') {
  const response = await request(url, { method, headers });
  return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
}

describe('health', () => {
  test.each(['/', '/healthz'])('%s is ok without a key, in every phase', async (path) => {
    const { url, app } = await startRig();
    for (const phase of ['starting', 'ready', 'draining'] as const) {
      app.lifecycle.phase = phase;
      expect(await get(`${url}${path}`)).toMatchObject({ status: 200, text: 'ok' });
    }
  });

  test.each<[Phase, number]>([
    ['starting', 503],
    ['ready', 200],
    ['draining', 503],
  ])('readyz, without a key, while %s, is %i', async (phase, status) => {
    const { url, app } = await startRig();
    app.lifecycle.phase = phase;
    const response = await get(`${url}/readyz`);
    expect([response.status, JSON.parse(response.text)]).toEqual([status, { status: phase }]);
  });

  test('while draining, requests are still served', async () => {
    const { url, app } = await startRig();
    app.lifecycle.phase = 'draining';
    expect((await callGateway(url, { prompt: 'a cat' })).status).toBe(200);
  });

  test('while closing, new work is refused, may be repeated elsewhere, and the connection is closed', async () => {
    const { url, app, simulator } = await startRig();
    app.lifecycle.phase = 'closing';
    const response = await callGateway(url, { prompt: 'a cat' });
    expect([response.status, response.json().error.code]).toEqual([503, 'overloaded']);
    const { headers } = response;
    expect(['connection', 'retry-after', 'retry-after-ms', 'x-should-retry'].map((name) => headers.get(name))).toEqual([
      'close',
      '1',
      '1000',
      null,
    ]);
    expect(simulator.ledger.requests).toEqual([]);
  });
});

describe('models', () => {
  test('the list has every name and alias as a Model object', async () => {
    const { url } = await startRig();
    const response = await get(`${url}/v1/models`, key);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    const { object, data } = JSON.parse(response.text);
    expect(object).toBe('list');
    expect(data.map(({ id }: { id: string }) => id)).toEqual([
      'image',
      'studio/poster',
      'dall-e-3',
      'dall-e-2',
      'gpt-image-1',
    ]);
    for (const model of data) {
      const common = { object: 'model', created: data[0].created, owned_by: expect.any(String) };
      expect(model).toEqual({ id: model.id, ...common, shutdown_date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) });
    }
    expect(Math.abs(data[0].created - Date.now() / 1000)).toBeLessThan(600);
  });

  test.each([
    ['image', 'image'],
    ['gpt-image-1', 'gpt-image-1'],
    ['studio/poster', 'studio/poster'],
    ['studio%2Fposter', 'studio/poster'],
    ['studio%2fposter', 'studio/poster'],
  ])('/v1/models/%s is %s', async (path, id) => {
    const { url } = await startRig();
    const response = await get(`${url}/v1/models/${path}`, key);
    expect([response.status, JSON.parse(response.text).id]).toEqual([200, id]);
  });

  test.each(['nobody', '__proto__', 'studio', 'image/x', 'x'.repeat(900)])('/v1/models/%s is a 404', async (path) => {
    const { url } = await startRig();
    const response = await get(`${url}/v1/models/${path}`, key);
    expect([response.status, JSON.parse(response.text).error.code]).toEqual([404, 'model_not_found']);
  });

  test.each(['/v1/models', '/v1/models/image', '/metrics'])('%s without a key is a 401', async (path) => {
    const { url } = await startRig();
    expect((await get(`${url}${path}`)).status).toBe(401);
  });

  test('a gateway without keys requires none', async () => {
    const { url } = await startGateway(modelsFile('http://127.0.0.1:9'), { keys: [] });
    expect((await get(`${url}/v1/models`)).status).toBe(200);
  });
});

describe('metrics', () => {
  const sample = (text: string, name: string) => text.split('\n').find((line) => line.startsWith(`${name} `));

  test('count requests, images and paid calls, and know what is in flight', async () => {
    const { url } = await startRig();
    await callGateway(url, { prompt: 'a cat', n: 2 });
    await callGateway(url, { model: 'gpt-image-1', prompt: 'a cat' });
    await callGateway(url, { prompt: 'simulate:500' });
    await callGateway(url, { prompt: '' });
    await get(`${url}/unknown/${'x'.repeat(40)}`, key);
    const { status, headers, text } = await get(`${url}/metrics`, key);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4');
    const target = 'model="image",target="1"';
    const route = `route="${generationsPath}"`;
    expect([
      sample(text, `gateway_requests_total{${route},status="200",end="completed"}`),
      sample(text, `gateway_requests_total{${route},status="502",end="completed"}`),
      sample(text, `gateway_requests_total{${route},status="400",end="completed"}`),
      sample(text, 'gateway_requests_total{route="unknown",status="404",end="completed"}'),
      sample(text, 'gateway_images_total{model="image"}'),
      sample(text, `gateway_upstream_attempts_total{provider="azure-deployment",outcome="delivered",${target}}`),
      sample(text, `gateway_upstream_attempts_total{provider="azure-deployment",outcome="failed",${target}}`),
      sample(text, 'gateway_requests_in_flight'),
    ]).toEqual([
      expect.stringMatching(/ 2$/),
      expect.stringMatching(/ 1$/),
      expect.stringMatching(/ 1$/),
      expect.stringMatching(/ 1$/),
      expect.stringMatching(/ 3$/),
      expect.stringMatching(/ 2$/),
      expect.stringMatching(/ 1$/),
      // This one itself.
      expect.stringMatching(/ 1$/),
    ]);
    expect(text).not.toContain('xxxx');
  });
});

describe('request ids', () => {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

  test.each(['mine-1', 'A.b_c-9', 'x'.repeat(64)])('%s is kept', async (id) => {
    const { url } = await startRig();
    expect((await get(`${url}/v1/models`, { ...key, 'x-request-id': id })).headers['x-request-id']).toBe(id);
  });

  test.each([
    ['none', undefined],
    ['an empty one', ''],
    ['one with a blank', 'a b'],
    ['one with markup', '<b>'],
    ['one of 65 characters', 'x'.repeat(65)],
  ])('%s is replaced', async (_, id) => {
    const { url } = await startRig();
    const headers = id === undefined ? key : { ...key, 'x-request-id': id };
    expect((await get(`${url}/v1/models`, headers)).headers['x-request-id']).toMatch(uuid);
  });

  test.each([200, 400, 401, 404, 405, 502])('status %i: the response has one, which is in the log', async (status) => {
    const rig = await startRig();
    const headers = { 'x-request-id': `id-${status}` };
    const calls: Record<number, () => Promise<{ headers: Headers }>> = {
      200: () => callGateway(rig.url, { prompt: 'a cat' }, { headers }),
      400: () => callGateway(rig.url, { prompt: '' }, { headers }),
      401: () => callGateway(rig.url, { prompt: 'a cat' }, { headers: { ...headers, authorization: 'Bearer no' } }),
      404: () => callGateway(rig.url, { prompt: 'a cat' }, { headers, path: '/nothing' }),
      405: () => callGateway(rig.url, { prompt: 'a cat' }, { headers, path: '/v1/models' }),
      502: () => callGateway(rig.url, { prompt: 'simulate:500' }, { headers }),
    };
    expect((await calls[status]?.())?.headers.get('x-request-id')).toBe(`id-${status}`);
    await expect.poll(() => rig.log.map(({ requestId }) => requestId)).toContain(`id-${status}`);
  });

  test('two requests over one connection have two', async () => {
    const { url } = await startRig();
    const line = 'GET /healthz HTTP/1.1\r\nhost: gateway\r\n';
    const text = await exchange(url, `${line}\r\n${line}connection: close\r\n\r\n`);
    const ids = text.match(/x-request-id: \S+/g) ?? [];
    expect([ids.length, new Set(ids).size]).toEqual([2, 2]);
  });
});

describe('response headers', () => {
  test.each([
    ['image', 'image'],
    ['gpt-image-1', 'image'],
    [undefined, 'image'],
    ['studio/poster', 'studio/poster'],
  ])('for a request of %s, the model is %s', async (model, name) => {
    const { url } = await startRig();
    const { headers } = await callGateway(url, { model, prompt: 'a cat' });
    const names = ['x-gateway-model', 'x-gateway-target', 'x-gateway-attempts', 'x-gateway-adapted', 'content-type'];
    expect(names.map((header) => headers.get(header))).toEqual([name, '1', '1', null, 'application/json']);
    expect(headers.get('server-timing')).toMatch(/^queue;dur=\d+\.\d, upstream;dur=\d+\.\d$/);
  });

  test('an adaptation is reported', async () => {
    const { url } = await startRig();
    const { headers } = await callGateway(url, { model: 'dall-e-2', prompt: 'a cat', response_format: 'b64_json' });
    expect(headers.get('x-gateway-adapted')).toBe('delivery=b64_json');
  });

  test('names that headers cannot hold are percent-encoded', async () => {
    const upstream = await startUpstream((_request, response) => {
      response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] }));
    });
    const target = { provider: 'azure-v1', model: 'gpt-image-2', baseURL: upstream.origin, apiKey: 'k' };
    const { url } = await startGateway({ models: { 'Bild–größe': target } });
    const reply = await callGateway(url, { model: 'Bild–größe', prompt: 'a cat' });
    expect([reply.status, reply.headers.get('x-gateway-model')]).toEqual([200, encodeURIComponent('Bild–größe')]);
  });

  test('nothing of the upstream’s own headers, hosts and deployments gets through', async () => {
    const rig = await startRig();
    for (const prompt of ['a cat', 'simulate:500', 'simulate:404-deployment', 'simulate:429-ms']) {
      const response = await callGateway(rig.url, { prompt });
      const names = [...response.headers.keys()].filter((name) =>
        /^x-ms|^apim|azureml|deployment|^x-ratelimit/.test(name),
      );
      expect(names).toEqual([]);
      expect(JSON.stringify([...response.headers])).not.toContain(new URL(rig.simulator.origin).port);
    }
    expect(rig.logText()).not.toContain('simulator-key');
    expect(rig.logText()).not.toContain(gatewayKey);
  });
});

describe('spelling of requests', () => {
  test.each(['/healthz', '/readyz', '/v1/models', '/v1/models/image'])('HEAD %s has no body', async (path) => {
    const { url } = await startRig();
    const response = await get(`${url}${path}`, key, 'HEAD');
    expect([response.status, response.text]).toEqual([200, '']);
  });

  test.each(['/healthz/', '/readyz/', '/v1/models/', '/v1/models/image/', '//v1//models'])(
    '%s is found',
    async (path) => {
      const { url } = await startRig();
      expect((await get(`${url}${path}`, key)).status).toBe(200);
    },
  );

  test.each([`${generationsPath}/`, `${generationsPath}?x=1`, '//v1/images/generations'])(
    'POST %s works',
    async (path) => {
      const { url } = await startRig();
      expect((await callGateway(url, { prompt: 'a cat' }, { path })).status).toBe(200);
    },
  );

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset=UTF-8'])(
    'content-type %s is JSON',
    async (type) => {
      const { url } = await startRig();
      const headers = { 'content-type': type };
      expect((await callGateway(url, { prompt: 'ein Kätzchen' }, { headers })).status).toBe(200);
    },
  );

  test('the prompt arrives at the upstream as it was written', async () => {
    const rig = await startRig();
    const prompt = 'Kätzchen 🐈 "quoted" \\ \u2028 </script>';
    await callGateway(rig.url, { prompt, user: 'u-1' });
    expect(rig.paidPosts(prompt).map(({ body }) => body)).toEqual([{ prompt, user: 'u-1' }]);
  });
});
