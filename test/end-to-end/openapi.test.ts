import { request as httpRequest } from 'node:http';
import type { RouteOptions } from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import { callerViews } from '../../src/http/error-response.ts';
import { documentedPath } from '../../src/http/openapi/describe.ts';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { documentedResponse, operation, problems, problemsOf } from '../http/openapi/schema-checker.ts';
import { startPaidOnce } from '../jobs/paid-once.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import { dataUrl, overlay, pngImage } from './edits.ts';
import { readEvents } from './events.ts';
import { modelsFile, type Rig, startRig, startUpstream, tinyPng } from './rig.ts';
import { startStore } from './store.ts';

const routes = vi.hoisted((): { method: string; url: string }[] => []);

// Every route passes here on its way into the server, however it is registered.
vi.mock('fastify', async (importOriginal) => {
  const original = await importOriginal<typeof import('fastify')>();
  const observed = (options: object) => {
    const app = original.default(options);
    app.addHook('onRoute', ({ method, url }: RouteOptions) => {
      for (const each of [method].flat()) routes.push({ method: each.toUpperCase(), url });
    });
    return app;
  };
  return { ...original, default: Object.assign(observed, original.default) };
});

type Call = {
  readonly method?: string;
  readonly path: string;
  /** The documented path, where it is another one. */
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};
type PlainResponse = { readonly status: number; readonly headers: Record<string, unknown>; readonly text: string };

const key = { authorization: `Bearer ${gatewayKey}` };
const json = { 'content-type': 'application/json' };

/** By Node's own client, which sends any method. */
function send({ url }: { url: string }, { method = 'GET', path, headers = key, body }: Call): Promise<PlainResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(`${url}${path}`, { method, headers: { ...headers }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        const { statusCode = 0 } = response;
        resolve({ status: statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() });
      });
    });
    outgoing.on('error', reject).end(body);
  });
}

const post = (body: unknown, further: Partial<Call> = {}): Call => ({
  method: 'POST',
  path: '/v1/images/generations',
  headers: { ...key, ...json },
  body: typeof body === 'string' ? body : JSON.stringify(body),
  ...further,
});

const edit = (body: unknown): Call => post(body, { path: '/v1/images/edits' });

/** Headers that HTTP itself, or every server, has. */
const usual = ['content-type', 'content-length', 'connection', 'date', 'keep-alive', 'transfer-encoding'];
const ofImages = ['x-content-type-options', 'content-disposition', 'content-security-policy', 'x-accel-buffering'];

/** That a response is as the document says: its status, its content type, its body and its headers. */
function expectDocumented({ method = 'GET', path, as = path.split('?')[0] ?? '' }: Call, reply: PlainResponse): void {
  const response = documentedResponse(as, method, reply.status);
  expect(response, `${method} ${as} has no ${reply.status}`).toBeDefined();
  const undocumented = Object.keys(reply.headers).filter(
    (name) => !usual.includes(name) && !ofImages.includes(name) && !(name in (response?.headers ?? {})),
  );
  if (method === 'HEAD') return;
  expect({ path, status: reply.status, undocumented }).toEqual({ path, status: reply.status, undocumented: [] });
  const [type = ''] = String(reply.headers['content-type'] ?? '').split(';');
  if (response?.content === undefined) {
    expect(reply.text).toBe('');
    return;
  }
  expect(Object.keys(response.content)).toContain(type);
  for (const value of bodiesOf(type, reply.text)) expect(problemsOf(response.content[type], value)).toBe('');
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    const { $ref = '' } = header as { $ref?: string };
    const schema = (openApiDocument.components as { headers: Record<string, object> }).headers[
      $ref.split('/').at(-1) ?? ''
    ];
    const text = reply.headers[name];
    if (text !== undefined) expect([name, problemsOf(schema, typed(schema, String(text)))]).toEqual([name, '']);
  }
}

function typed(header: object | undefined, text: string): unknown {
  const { schema } = header as { schema: { type: string } };
  return schema.type === 'string' ? text : Number(text);
}

function bodiesOf(type: string, text: string): unknown[] {
  if (type === 'application/json') return [JSON.parse(text)];
  if (type === 'text/event-stream') return readEvents(text).map(({ data }) => data);
  return type === 'text/plain' ? [text] : [];
}

const example = (path: string): string => path.replace('{id}', 'image').replace(/\{\w+\}/g, 'image');

describe('every route', () => {
  test('is in the document, or is a refusal; and nothing else is in it', async () => {
    routes.length = 0;
    const { store } = await startStore();
    const rig = await startRig({ store });
    expect(routes.length).toBeGreaterThan(300);
    const documented = routes.filter(({ method, url }) => operation(documentedPath(url), method) !== undefined);
    const described = Object.entries(openApiDocument.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => method !== 'parameters')
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.map(({ method, url }) => `${method} ${documentedPath(url)}`).sort()).toEqual(described.sort());
    const others = routes.filter((route) => !documented.includes(route));
    const responses = await Promise.all(
      others.map(async ({ method, url }) => {
        const { status, text } = await send(rig, { method, path: example(documentedPath(url)) });
        return { method, url, status, code: /"code":"(\w+)"/.exec(text)?.[1] };
      }),
    );
    const served = responses.filter(
      ({ method, status, code }) => status !== 405 && code !== 'unsupported_operation' && method !== 'HEAD',
    );
    expect(served).toEqual([]);
    expect(rig.simulator.ledger.requests).toEqual([]);
  });

  test('requires a key exactly where the document says so', async () => {
    const { store } = await startStore();
    const rig = await startRig({ store });
    for (const [path, methods] of Object.entries(openApiDocument.paths as Record<string, object>)) {
      for (const method of Object.keys(methods).filter((name) => name === 'get' || name === 'post')) {
        const { status } = await send(rig, { method: method.toUpperCase(), path: example(path), headers: {} });
        const isOpen = operation(path, method)?.security?.length === 0;
        expect([method, path, status === 401]).toEqual([method, path, !isOpen]);
      }
    }
  });
});

describe('the document', () => {
  test('is served to everybody, and is the one that is tested here', async () => {
    const rig = await startRig();
    const response = await send(rig, { path: '/openapi.json', headers: {} });
    expect([response.status, JSON.parse(response.text)]).toEqual([200, JSON.parse(JSON.stringify(openApiDocument))]);
    expectDocumented({ path: '/openapi.json' }, response);
  });

  test('reveals nothing of the configuration', async () => {
    const rig = await startRig();
    const { text } = await send(rig, { path: '/openapi.json', headers: {} });
    for (const word of ['studio/poster', 'simulator-key', gatewayKey, rig.simulator.origin]) {
      expect(text).not.toContain(word);
    }
  });
});

const twoImages = { prompt: 'a cat', n: 2, size: '1024x1024', quality: 'low', user: null };

describe('real responses are as documented', () => {
  test.each<[string, unknown]>([
    ['base64', twoImages],
    ['a model that rewrites prompts', { model: 'dall-e-3', prompt: 'a cat', style: 'vivid' }],
    ['links', { model: 'dall-e-3', prompt: 'a cat', response_format: 'url' }],
    ['the asynchronous flow', { model: 'dall-e-2', prompt: 'a cat', n: 2, size: '256x256' }],
    ['an adaptation', { model: 'dall-e-3', prompt: 'a cat', n: 2 }],
    ['a stream with partial images', { prompt: 'a cat', stream: true, partial_images: 2 }],
    ['a stream of a model that has none', { model: 'dall-e-3', prompt: 'a cat', stream: true }],
    ['a stream that ends in an error', { prompt: 'simulate:stream-error-late', stream: true, partial_images: 1 }],
    ['a stream that is cut', { prompt: 'simulate:stream-cut', stream: true, partial_images: 1 }],
  ])('images: %s', async (_, body) => {
    const rig = await startRig();
    expect(problems('GenerationRequest', body)).toBe('');
    const headers = { ...key, ...json, 'x-gateway-timeout-ms': '30000', 'x-gateway-max-retries': '0' };
    const call = post(body, { headers });
    const response = await send(rig, call);
    expect(response.status).toBe(200);
    expectDocumented(call, response);
  });

  test('an error in the middle of an image', async () => {
    const upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const start = '{"type":"image_generation.completed","b64_json":"';
      response.write(
        `event: image_generation.completed\ndata: ${start}${tinyPng.slice(0, 88)}${'AAAA'.repeat(50_000)}`,
      );
      setTimeout(() => response.destroy(), 500);
    });
    const gateway = await startGateway(modelsFile(upstream.origin));
    const call = post({ prompt: 'a cat', stream: true, partial_images: 1 });
    const reply = await send(gateway, call);
    expect(reply.text).toContain('event: error');
    expectDocumented(call, reply);
  });

  test('edits, as a form and as JSON, and as a stream', async () => {
    const rig = await startRig();
    const [png, mask] = [await pngImage(), await overlay()];
    const files = [
      { name: 'image', bytes: png, filename: 'a.png', type: 'image/png' },
      { name: 'mask', bytes: mask, filename: 'b.png', type: 'image/png' },
    ];
    const form = { prompt: 'a hat', n: 1, image: 'bytes', mask: 'bytes' };
    expect(problems('EditForm', form)).toBe('');
    const body = writeForm([...fields({ prompt: 'a hat', n: '1' }), ...files]);
    const calls: Call[] = [{ method: 'POST', path: '/v1/images/edits', headers: { ...key, ...formHeaders }, body }];
    for (const stream of [false, true]) {
      const requested = {
        prompt: 'a hat',
        images: [{ image_url: dataUrl(png) }],
        mask: { image_url: dataUrl(mask) },
        stream,
      };
      expect(problems('EditRequest', requested)).toBe('');
      calls.push(edit(requested));
    }
    for (const call of calls) {
      const response = await send(rig, call);
      expect(response.status).toBe(200);
      expectDocumented(call, response);
    }
  });

  test.each<[string, object]>([
    ['a text', { model: 'image', input: 'a cat', temperature: 1, metadata: { order: '7' } }],
    [
      'a stream',
      { model: 'image', input: 'a cat', stream: true, tools: [{ type: 'image_generation', partial_images: 2 }] },
    ],
    ['a failure', { model: 'image', input: 'simulate:moderation-blocked', stream: true }],
    ['the background', { model: 'image', input: 'a cat', background: true }],
    [
      'messages',
      {
        input: [
          { role: 'developer', content: 'Flat.' },
          { role: 'user', content: [{ type: 'input_text', text: 'a' }] },
        ],
      },
    ],
  ])('responses: %s', async (_, body) => {
    const rig = await startPaidOnce();
    expect(problems('ResponseRequest', body)).toBe('');
    const call = post(body, { path: '/v1/responses' });
    const response = await send(rig, call);
    expect(response.status).toBe(200);
    expectDocumented(call, response);
    const [, id = ''] = /"id":"(resp_[^"]+)"/.exec(response.text) ?? [];
    const path = `/v1/responses/${id}`;
    await expect.poll(async () => (await send(rig, { path })).text).toMatch(/"status":"(?:completed|failed)"/);
    for (const further of [
      { path },
      { path: `${path}?stream=true&starting_after=1` },
      { path: `${path}/cancel`, method: 'POST' },
      { path, method: 'DELETE' },
      { path },
    ]) {
      const isCancel = further.path.endsWith('/cancel');
      const as = `/v1/responses/{id}${isCancel ? '/cancel' : ''}`;
      expectDocumented({ ...further, as }, await send(rig, further));
    }
  });

  test.each<[number, Call]>([
    [400, post('{')],
    [400, post({ input: 'a', tools: [{ type: 'function' }] }, { path: '/v1/responses' })],
    [400, post({ input: 'a', previous_response_id: 'resp_1' }, { path: '/v1/responses' })],
    [404, { path: '/v1/responses/resp_1', as: '/v1/responses/{id}' }],
    [400, post({})],
    [400, post({ prompt: 'a', n: 11 })],
    [400, post({ prompt: 'a' }, { headers: { ...key, ...json, 'x-gateway-timeout-ms': 'soon' } })],
    [400, post({ prompt: 'simulate:filter-policy' })],
    [400, post({ prompt: 'simulate:moderation-blocked' })],
    [400, post({ prompt: 'simulate:unknown-parameter' })],
    [400, post({ prompt: 'a' }, { path: '/v1/images/variations' })],
    [400, edit({ prompt: 'a', images: [{ image_url: 'data:image/png;base64,AAAA' }] })],
    [401, post({ prompt: 'a' }, { headers: json })],
    [404, post({ prompt: 'a', model: 'nobody' })],
    [404, post({ prompt: 'a' }, { path: '/openai/images/generations:submit' })],
    [413, post({ prompt: 'x'.repeat(2_000_000) })],
    [415, post('prompt=a', { headers: { ...key, 'content-type': 'text/plain' } })],
    [417, post({ prompt: 'a' }, { headers: { ...key, ...json, expect: 'cake' } })],
    [429, post({ prompt: 'simulate:429-seconds' })],
    [429, post({ prompt: 'simulate:429-quota' })],
    [431, post({ prompt: 'a' }, { headers: { ...key, ...json, 'x-long': 'x'.repeat(20_000) } })],
    [502, post({ prompt: 'simulate:500' })],
    [502, post({ prompt: 'simulate:500-html' })],
    [502, post({ prompt: 'simulate:404-deployment' })],
    [503, post({ prompt: 'simulate:503-busy' })],
    [504, post({ prompt: 'simulate:hang' }, { headers: { ...key, ...json, 'x-gateway-timeout-ms': '1000' } })],
    [404, { path: '/v1/models/nobody', as: '/v1/models/{id}' }],
    [401, { path: '/v1/models', headers: {} }],
    [404, { path: '/v1/images/files/unknown', as: '/v1/images/files/{id}' }],
    [200, { path: '/v1/models' }],
    [200, { path: '/v1/models/image', as: '/v1/models/{id}' }],
    [200, { path: '/v1/models', method: 'HEAD' }],
    [200, { path: '/' }],
    [200, { path: '/healthz', headers: {} }],
    [200, { path: '/readyz', headers: {} }],
    [200, { path: '/metrics' }],
  ])('%i of %o', async (status, call) => {
    const { store } = await startStore();
    const rig = await startRig({ store });
    const response = await send(rig, call);
    expect(response.status).toBe(status);
    expectDocumented(call, response);
  });

  test('operations, and their errors', async () => {
    const rig = await startPaidOnce();
    const submit = { path: '/openai/images/generations:submit' };
    const accepted = await send(rig, post({ prompt: 'a cat' }, submit));
    const [, path = ''] = /\/\/[^/]+(\/.*)$/.exec(String(accepted.headers['operation-location'])) ?? [];
    await expect.poll(async () => (await send(rig, { path })).text).toContain('"status":"succeeded"');
    expectDocumented(post({}, submit), accepted);
    const as = '/openai/operations/images/{id}';
    const xml = { ...key, 'content-type': 'text/xml', 'content-length': '1' };
    const calls: [number, Call][] = [
      [400, post('{', submit)],
      [400, post({ prompt: 'a cat' }, { ...submit, headers: { ...key, ...json, 'operation-id': 'mine' } })],
      [413, post({ prompt: 'x'.repeat(2_000_000) }, submit)],
      [417, post({}, { ...submit, headers: { ...key, ...json, expect: 'cake' } })],
      [200, { path, as }],
      [401, { path, as, headers: {} }],
      [400, { path: '/openai/operations/images/%zz', as }],
      // Its body is of no interest.
      [204, { method: 'DELETE', path, as, headers: xml, body: 'x' }],
      [404, { method: 'DELETE', path, as }],
      [404, { path, as }],
    ];
    for (const [status, call] of calls) {
      const response = await send(rig, call);
      expect([call.path, response.status]).toEqual([call.path, status]);
      expectDocumented(call, response);
    }
  });

  test('what a key has left, and what images cost', async () => {
    const { simulator } = await startRig();
    const models = modelsFile(simulator.origin, 60_000, { price: { images: [{ price: 0.04 }] } });
    const callers = { team: { keys: [{ key: 'team-key' }], limits: { requests: 1, images: 5 } } };
    const gateway = await startGateway(models, { callers });
    const call = post({ prompt: 'a cat' }, { headers: { ...json, 'api-key': 'team-key' } });
    const limits = ['limit', 'remaining', 'reset'].flatMap((part) => [
      `x-ratelimit-${part}-requests`,
      `x-ratelimit-${part}-images`,
    ]);
    for (const [status, further] of [
      [200, 'x-gateway-cost-usd'],
      [429, 'retry-after'],
    ] as const) {
      const response = await send(gateway, call);
      expect(response.status).toBe(status);
      expect(Object.keys(response.headers)).toEqual(expect.arrayContaining([...limits, further]));
      expectDocumented(call, response);
    }
  });

  test('the metrics, for a key that may use some models only', async () => {
    const callers = { team: { keys: [{ key: 'team-key' }], models: ['image'] } };
    const gateway = await startGateway(modelsFile('https://one.openai.azure.com'), { callers });
    const call = { path: '/metrics', headers: { 'api-key': 'team-key' } };
    const response = await send(gateway, call);
    expect(response.status).toBe(403);
    expectDocumented(call, response);
  });

  test('a web page, at a gateway without keys', async () => {
    const gateway = await startGateway(modelsFile('https://one.openai.azure.com'), { keys: [] });
    const headers = { ...json, origin: 'https://evil.example' };
    for (const call of [post('{}', { headers }), { path: '/v1/models', headers }, { path: '/openapi.json', headers }]) {
      const response = await send(gateway, call);
      expect(response.status).toBe(403);
      expectDocumented(call, response);
    }
  });

  test('readiness and closing', async () => {
    const rig = await startRig();
    rig.app.lifecycle.phase = 'closing';
    for (const call of [{ path: '/readyz' }, { path: '/v1/models' }, post({ prompt: 'a' })]) {
      const response = await send(rig, call);
      expect(response.status).toBe(503);
      expectDocumented(call, response);
    }
  });

  test('a method that is not allowed has the documented shape', async () => {
    const rig = await startRig();
    const response = await send(rig, { method: 'PUT', path: '/v1/models' });
    expect(problems('Error405', JSON.parse(response.text))).toBe('');
    expect(response.headers.allow).toBe('GET, HEAD');
  });

  test('a hosted image', async () => {
    const { store } = await startStore();
    const rig: Rig = await startRig({ store });
    const made = await send(rig, post({ prompt: 'a cat', response_format: 'url' }));
    const { data } = JSON.parse(made.text) as { data: { url: string }[] };
    const path = new URL(data[0]?.url ?? '').pathname;
    const as = '/v1/images/files/{id}';
    const whole = await send(rig, { path });
    const requested: [number, Record<string, string>][] = [
      [200, {}],
      [206, { range: 'bytes=0-9' }],
      [304, { 'if-none-match': String(whole.headers.etag) }],
      [416, { range: 'bytes=99999999-' }],
    ];
    for (const [status, headers] of requested) {
      for (const method of ['GET', 'HEAD']) {
        const response = await send(rig, { method, path, headers });
        expect([method, response.status]).toEqual([method, status]);
        expectDocumented({ method, path, as }, response);
      }
    }
  });

  test('there is a response here of every status that a caller can provoke', () => {
    const statuses = new Set(Object.values(callerViews).map(({ status }) => status));
    // Our own failures, slow uploads, a full disk, and Azure's rarest refusals are tried elsewhere: their shape is one.
    const elsewhere = [408, 409, 410, 422, 499, 500, 507];
    const here = [400, 401, 403, 404, 405, 413, 415, 416, 417, 429, 431, 502, 503, 504];
    expect([...here, ...elsewhere].sort()).toEqual([...statuses].sort());
  });
});
