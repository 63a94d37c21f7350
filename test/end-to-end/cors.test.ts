import { describe, expect, test } from 'vitest';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { tinyPng } from '../fixtures/images.ts';
import { exactClient, type Question, type Reply } from '../helpers/exact-client.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import { generationsPath, modelsFile, requestLines, startRig } from './rig.ts';
import { startStore } from './store.ts';

const key = { authorization: `Bearer ${gatewayKey}` };
const json = { ...key, 'content-type': 'application/json' };
const app = 'https://app.example';

/** A gateway that takes calls from these origins, in front of a simulator; by default from none. */
async function start(corsOrigins?: readonly string[]) {
  const { simulator } = await startRig();
  const { store } = await startStore();
  const models = { ...modelsFile(simulator.origin), limits: { uploadBytes: 1_000_000 } };
  const gateway = await startGateway(models, { store, ...(corsOrigins && { corsOrigins }) });
  return { gateway, send: exactClient(gateway.url) };
}

const corsNames = ({ headers }: Reply) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));

const image = { name: 'image', bytes: Buffer.from(tinyPng, 'base64'), filename: 'a.png', type: 'image/png' };
const form = (...parts: Parameters<typeof writeForm>[0]) => ({
  method: 'POST',
  path: '/v1/images/edits',
  headers: { ...key, ...formHeaders },
  body: writeForm([...fields({ prompt: 'a cat' }), ...parts]),
});
const generation = (values: object = {}, path = generationsPath) => ({
  method: 'POST',
  path,
  headers: json,
  body: JSON.stringify({ prompt: 'a cat', ...values }),
});

/** Every way in which a response is written. */
const calls: readonly [string, number, Question][] = [
  ['JSON of a generation, written past Fastify', 200, generation()],
  ['a stream, written past Fastify', 200, generation({ stream: true, partial_images: 1 })],
  ['a link', 200, generation({ response_format: 'url' })],
  ['JSON of an edit', 200, form(image)],
  ['a stream of an edit', 200, form(...fields({ stream: 'true' }), image)],
  ['a response on the path of Azure’s SDKs', 200, generation({}, '/openai/deployments/image/images/generations')],
  ['the models', 200, { path: '/v1/models', headers: key }],
  ['health', 200, { path: '/healthz' }],
  ['a refused value', 400, generation({ n: 11 })],
  ['damaged JSON', 400, { ...generation(), body: '{' }],
  ['an edit without an image', 400, form()],
  ['variations', 400, generation({}, '/v1/images/variations')],
  ['a missing key', 401, { ...generation(), headers: { 'content-type': 'application/json' } }],
  ['a wrong key', 401, { path: '/v1/models', headers: { 'api-key': 'wrong' } }],
  ['an unknown model', 404, generation({ model: 'nobody' })],
  ['an unknown URL', 404, { path: '/nothing', headers: key }],
  ['an unknown image', 404, { path: '/v1/images/files/abc' }],
  ['a wrong method', 405, { method: 'DELETE', path: '/v1/models', headers: key }],
  ['a body that is too long', 413, generation({ prompt: 'x'.repeat(1_100_000) })],
  ['an upload that is too long', 413, form({ ...image, bytes: Buffer.alloc(1_100_000) })],
  ['a content type', 415, { ...generation(), headers: { ...key, 'content-type': 'text/plain' } }],
  ['a failure of the upstream', 502, generation({ prompt: 'simulate:500' })],
  ['a pause that the upstream requests', 429, generation({ prompt: 'simulate:429-ms' })],
];

/** What the document names. */
const exposed = Object.keys((openApiDocument.components as { headers: object }).headers);

const preflight = (origin: string, path = generationsPath): Question => ({
  method: 'OPTIONS',
  path,
  headers: {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type,x-stainless-os,x-target',
  },
});

describe('without CORS_ORIGINS', () => {
  test('no response says anything to browsers', async () => {
    const { send } = await start();
    for (const [name, status, call] of calls) {
      const reply = await send({ ...call, headers: { ...call.headers, origin: app } });
      expect([name, reply.status, corsNames(reply), reply.headers.vary]).toEqual([name, status, [], undefined]);
    }
  });

  test('a preflight is a request like any other, which needs a key and another method', async () => {
    const { send } = await start();
    const question = preflight(app);
    expect(await send(question)).toMatchObject({ status: 401 });
    const reply = await send({ ...question, headers: { ...question.headers, ...key } });
    expect([reply.status, reply.headers.allow, corsNames(reply)]).toEqual([405, 'POST', []]);
  });
});

describe('with an origin in CORS_ORIGINS', () => {
  test.each(calls)('%s, with status %i, can be read by its pages', async (_name, status, call) => {
    const { send } = await start(['https://other.example', app]);
    const reply = await send({ ...call, headers: { ...call.headers, origin: app } });
    expect([reply.status, reply.headers['access-control-allow-origin']]).toEqual([status, app]);
    expect(String(reply.headers['access-control-expose-headers']).split(', ')).toEqual(exposed);
    expect(String(reply.headers.vary).toLowerCase()).toMatch(/\borigin\b/);
    // Keys are sent by scripts; what a browser would add by itself is not wanted.
    expect(reply.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test('an Idempotency-Key may be sent, and what is said about it be read', async () => {
    const { send } = await start([app]);
    const call = generation();
    const headers = { ...call.headers, origin: app, 'idempotency-key': 'k' };
    const asked = preflight(app);
    const requested = { 'access-control-request-headers': 'authorization,content-type,idempotency-key' };
    const allowed = await send({ ...asked, headers: { ...asked.headers, ...requested } });
    expect(allowed.headers['access-control-allow-headers']).toBe(requested['access-control-request-headers']);
    const jobs = new Set<unknown>();
    for (const replayed of [undefined, 'true']) {
      const reply = await send({ ...call, headers });
      const readable = String(reply.headers['access-control-expose-headers']).split(', ');
      expect(readable).toEqual(expect.arrayContaining(['x-gateway-job', 'idempotent-replayed', 'retry-after']));
      expect([reply.status, reply.headers['idempotent-replayed']]).toEqual([200, replayed]);
      jobs.add(reply.headers['x-gateway-job']);
    }
    expect(jobs.size).toBe(1);
  });

  test('a stream arrives as events, and JSON complete', async () => {
    const { send } = await start([app]);
    const stream = generation({ stream: true });
    const events = await send({ ...stream, headers: { ...stream.headers, origin: app } });
    expect(events.headers['content-type']).toBe('text/event-stream');
    expect(events.text).toMatch(/^event: image_generation.completed\n/);
    const whole = generation();
    const response = await send({ ...whole, headers: { ...whole.headers, origin: app } });
    expect(JSON.parse(response.text).data).toHaveLength(1);
  });

  test.each([
    generationsPath,
    '/v1/images/edits',
    '/v1/models',
    '/m/a%2Fb/openai/deployments/c/d/images/edits',
    '/x',
    '/',
  ])('a preflight of %s gets a response without a key, and its headers are allowed', async (path) => {
    const { send } = await start([app]);
    const reply = await send(preflight(app, path));
    expect(reply).toMatchObject({
      status: 204,
      text: '',
      headers: {
        'access-control-allow-origin': app,
        'access-control-allow-methods': 'GET, HEAD, POST',
        'access-control-allow-headers': 'authorization,content-type,x-stainless-os,x-target',
        'access-control-max-age': '3600',
        vary: 'Origin, Access-Control-Request-Headers',
      },
    });
  });

  test('a preflight costs nothing, and is logged by its route', async () => {
    const { gateway, send } = await start([app]);
    await send(preflight(app));
    await send(preflight(app, '/nothing/canary'));
    await expect.poll(() => requestLines(gateway).length).toBe(2);
    const lines = requestLines(gateway).map(({ method, route, status }) => ({ method, route, status }));
    expect(lines).toEqual([
      { method: 'OPTIONS', route: generationsPath, status: 204 },
      { method: 'OPTIONS', route: '*', status: 204 },
    ]);
  });

  test.each([
    'https://evil.example',
    'http://app.example',
    'https://app.example:8443',
    'https://x.app.example',
    'null',
    '',
  ])('the origin %j gets no CORS headers', async (origin) => {
    const { send } = await start([app]);
    for (const question of [preflight(origin), generation(), { path: '/v1/models' }]) {
      const reply = await send({ ...question, headers: { ...question.headers, origin } });
      expect(reply.headers).not.toHaveProperty('access-control-allow-origin');
      // Also for the caches in between, which must not give it the response of another origin.
      expect(String(reply.headers.vary)).toMatch(/^Origin/);
    }
  });

  test('callers without an origin are served as ever', async () => {
    const { send } = await start([app]);
    for (const [name, status, call] of calls) {
      const reply = await send(call);
      expect([name, reply.status]).toEqual([name, status]);
      expect(reply.headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test('an OPTIONS that is no preflight is no error of another shape', async () => {
    const { send } = await start([app]);
    for (const headers of [{}, { origin: app }, { 'access-control-request-method': 'POST' }]) {
      expect(await send({ method: 'OPTIONS', path: generationsPath, headers })).toMatchObject({
        status: 204,
        text: '',
      });
    }
  });
});

describe('with * in CORS_ORIGINS', () => {
  test.each([[['*']], [[app, '*']]])('%j lets the pages of every origin in', async (origins) => {
    const { send } = await start(origins);
    for (const [name, status, call] of calls) {
      const reply = await send({ ...call, headers: { ...call.headers, origin: 'https://anybody.example' } });
      expect([name, reply.status, reply.headers['access-control-allow-origin']]).toEqual([name, status, '*']);
      expect(reply.headers).not.toHaveProperty('access-control-allow-credentials');
    }
    expect(await send(preflight('null'))).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': '*' },
    });
  });
});
