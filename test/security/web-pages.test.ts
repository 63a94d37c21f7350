import { describe, expect, test } from 'vitest';
import { exchange, generationsPath, modelsFile, startRig } from '../end-to-end/rig.ts';
import { startStore } from '../end-to-end/store.ts';
import { tinyPng } from '../fixtures/images.ts';
import { exactClient, type Question } from '../helpers/exact-client.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';

// A gateway without keys listens on loopback, but the browser on that machine sends there what any web page tells it to.

const app = 'https://app.example';
const json = { 'content-type': 'application/json' };

const image = { name: 'image', bytes: Buffer.from(tinyPng, 'base64'), filename: 'a.png', type: 'image/png' };
const generation: Question = { method: 'POST', path: generationsPath, headers: json, body: '{"prompt":"a cat"}' };
/** Browsers send it without asking first. */
const form: Question = {
  method: 'POST',
  path: '/v1/images/edits',
  headers: formHeaders,
  body: writeForm([...fields({ prompt: 'a cat' }), image]),
};
const guarded: readonly Question[] = [
  generation,
  form,
  { method: 'POST', path: '/images/generations', headers: json, body: '{"prompt":"a cat"}' },
  { method: 'POST', path: '/openai/deployments/image/images/generations', headers: json, body: '{"prompt":"a cat"}' },
  { path: '/v1/models' },
  { path: '/v1/models/image' },
  { path: '/metrics' },
  { path: '/openapi.json' },
  { path: '/nothing' },
  { method: 'OPTIONS', path: generationsPath, headers: { 'access-control-request-method': 'POST' } },
];

async function startKeyless(corsOrigins: readonly string[] = [], keys: readonly string[] = []) {
  const { simulator } = await startRig();
  const { store } = await startStore();
  const { url } = await startGateway(modelsFile(simulator.origin), { keys, store, corsOrigins });
  return { simulator, url };
}

async function statusOf(url: string, question: Question, headers: Record<string, string>): Promise<number> {
  return (await exactClient(url)({ ...question, headers: { ...question.headers, ...headers } })).status;
}

describe('without keys', () => {
  test.each([
    ['a form of another origin', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['an old browser, which tells the origin only', { origin: 'https://evil.example' }],
    ['a page that hides its origin', { origin: 'null' }],
    ['an empty origin', { origin: '' }],
    ['a page of another port of this machine', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' }],
    ['a page of another scheme', { origin: 'ftp://localhost' }],
    ['an image or a link, which has no origin', { 'sec-fetch-site': 'cross-site' }],
    ['two origins', { origin: 'http://localhost, https://evil.example' }],
    ['DNS rebinding', { host: 'evil.example' }],
    ['DNS rebinding, to this very port', { host: 'evil.example:8866', origin: 'http://evil.example:8866' }],
    ['a name that begins like loopback', { host: '127.0.0.1.evil.example' }],
    ['a name that ends like it', { host: 'evil.localhost.example' }],
    ['the address of all addresses', { host: '0.0.0.0:8866', origin: 'http://0.0.0.0:8866' }],
    ['an address of the network', { host: '192.168.1.10' }],
    ['another IPv6 address', { host: '[::2]:8866' }],
    ['an empty host', { host: '' }],
  ])('%s gets nothing but a 403', async (_, headers) => {
    const { simulator, url } = await startKeyless();
    for (const question of guarded) {
      const reply = await exactClient(url)({ ...question, headers: { ...question.headers, ...headers } });
      expect([question.path, reply.status]).toEqual([question.path, 403]);
      expect(JSON.parse(reply.text).error).toMatchObject({ code: 'forbidden_origin', type: 'invalid_request_error' });
      expect(reply.headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect(simulator.ledger.received).toBe(0);
  });

  test('the messages say what to do', async () => {
    const { url } = await startKeyless();
    const messageFor = async (headers: Record<string, string>) =>
      JSON.parse((await exactClient(url)({ ...generation, headers: { ...json, ...headers } })).text).error.message;
    expect(await messageFor({ host: 'evil.example' })).toMatch(/localhost.*GATEWAY_API_KEYS/);
    expect(await messageFor({ origin: app })).toMatch(/CORS_ORIGINS.*GATEWAY_API_KEYS/);
  });

  test('a request without any host, as HTTP/1.0 has it, is refused, too', async () => {
    const { url } = await startKeyless();
    expect(await exchange(url, 'GET /v1/models HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
  });

  test.each([
    ['programs of this machine', {}],
    ['localhost', { host: 'localhost:8866' }],
    ['LOCALHOST, without a port', { host: 'LOCALHOST' }],
    ['any loopback address', { host: '127.8.9.10:80' }],
    ['IPv6', { host: '[::1]:8866' }],
    ['its own pages', { host: 'localhost:8866', origin: 'http://localhost:8866', 'sec-fetch-site': 'same-origin' }],
    ['its own pages, by a name in capitals', { host: 'LocalHost:8866', origin: 'http://localhost:8866' }],
    ['its own pages behind TLS', { host: 'localhost', origin: 'https://localhost', 'sec-fetch-site': 'same-origin' }],
    ['an address that somebody typed', { 'sec-fetch-site': 'none' }],
  ])('%s: served as ever', async (_, headers) => {
    const { url } = await startKeyless();
    expect(await statusOf(url, generation, headers)).toBe(200);
    expect(await statusOf(url, form, headers)).toBe(200);
    expect(await statusOf(url, { path: '/v1/models' }, headers)).toBe(200);
  });

  test('health, and hosted images, whose id is the permission, are open to all', async () => {
    const { url } = await startKeyless();
    const call = exactClient(url);
    const body = '{"prompt":"a cat","response_format":"url"}';
    const { data } = JSON.parse((await call({ ...generation, body })).text);
    const foreign = { host: 'evil.example', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    for (const path of ['/', '/healthz', '/readyz', new URL(data[0].url).pathname]) {
      expect([path, await statusOf(url, { path }, foreign)]).toEqual([path, 200]);
    }
  });
});

describe('without keys, with an origin in CORS_ORIGINS', () => {
  const fromPage = { origin: app, 'sec-fetch-site': 'cross-site' };

  test('its pages are served, and their preflights get a response', async () => {
    const { url } = await startKeyless([app]);
    const call = exactClient(url);
    const requested = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
    const preflight = await call({ method: 'OPTIONS', path: generationsPath, headers: { ...fromPage, ...requested } });
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, app]);
    for (const question of [generation, form, { path: '/v1/models' }]) {
      const reply = await call({ ...question, headers: { ...question.headers, ...fromPage } });
      expect([reply.status, reply.headers['access-control-allow-origin']]).toEqual([200, app]);
    }
  });

  test('pages of others, and other hosts, are not', async () => {
    const { simulator, url } = await startKeyless([app]);
    const others = [
      { origin: 'https://evil.example' },
      { origin: `${app}:8443` },
      { ...fromPage, host: 'evil.example' },
    ];
    for (const headers of others) {
      for (const question of guarded) expect(await statusOf(url, question, headers)).toBe(403);
    }
    expect(simulator.ledger.received).toBe(0);
  });

  test('* lets the pages of all origins in, by a loopback name', async () => {
    const { url } = await startKeyless(['*']);
    expect(await statusOf(url, generation, { origin: 'null' })).toBe(200);
    expect(await statusOf(url, generation, { origin: 'null', host: 'evil.example' })).toBe(403);
  });
});

test('with keys, the key alone decides', async () => {
  const { url } = await startKeyless([], [gatewayKey]);
  const foreign = { host: 'gateway.example', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  expect(await statusOf(url, generation, { ...foreign, 'api-key': gatewayKey })).toBe(200);
  expect(await statusOf(url, generation, foreign)).toBe(401);
});
