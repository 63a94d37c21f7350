import Fastify from 'fastify';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import { pngImage } from '../end-to-end/edits.ts';
import { startStore } from '../end-to-end/store.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { findSecrets, SecretWatch } from '../helpers/search-secrets.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { everyProvider, providers, startHostileAzure } from './hostile-azure.ts';

// Every test that starts a gateway searches its log, metrics and errors when it ends (test/helpers/search-secrets.ts).
// Here is shown that the search finds something, and that an upstream that repeats all it was told is of no use to anybody.

describe('the search for secrets', () => {
  test.each([
    ['a key', 'the key azure-key-canary was refused'],
    ['a prompt with quotes, in JSON', JSON.stringify({ said: 'a "red" cat\n' })],
    ['a prompt in a URL', `/v1?prompt=${encodeURIComponent('a "red" cat\n')}`],
    ['a PNG', `{"b64_json":"${tinyPng}"}`],
    ['the beginning of a JPEG', '/9j/4AAQSkZJRgABAQ'],
    ['the beginning of a WebP', 'UklGRiQAAABXRUJQVlA4'],
    ['the middle of an image', Buffer.from(Array.from({ length: 120 }, (_, at) => (at * 37) % 251)).toString('base64')],
    ['a data URL', 'data:image/gif;base64,R0lGODlhAQABAAAAACw='],
    ['a signed link', 'https://a.blob.core.windows.net/b/c.png?se=2026&sig=abc%2Bdef'],
    ['a signed link in a link', 'https%3A%2F%2Fa.example%2Fb%3Fsig%3Dabc'],
    ['a token', 'Bearer eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln'],
  ])('finds %s', (_, text) => {
    expect(findSecrets(text, ['azure-key-canary', 'a "red" cat\n'])).not.toEqual([]);
  });

  test.each([
    '{"level":30,"requestId":"0c5cf2e5-0000-4000-8000-000000000000","promptHash":"0vpD-_r7EA_mUHsd"}',
    'Error: x\n    at file:///srv/app/node_modules/fastify/lib/request-handler-with-a-long-name.js:123:45',
    'gateway_requests_total{route="/openai/deployments/:deployment/images/generations",status="200",end="completed"} 1',
    'send it as "authorization: Bearer KEY"',
    'signal=SIGTERM, design=x',
  ])('does not take for one: %s', (text) => expect(findSecrets(text, ['a', '', 'cat ']).map(String)).toEqual([]));

  test('fails for a secret in the log, in the metrics, and in an error', async () => {
    const server = Fastify();
    onTestFinished(() => server.close());
    const watch = new SecretWatch([gatewayKey], { models: { one: { apiKey: 'azure-key-canary' } } });
    watch.listenTo(server);
    server.get('/', (request, reply) => {
      Object.assign(request, { record: { request: { prompt: 'a secret wish' } } });
      return reply.code(400).send({ error: request.headers['x-echo'] });
    });
    const ask = (headers: Record<string, string>) => server.inject({ url: '/', headers });
    const nothing = { log: '', metrics: '' };

    await ask({ authorization: 'Bearer presented-by-somebody' });
    expect(() => watch.expectNoneIn(nothing)).not.toThrow();
    for (const secret of [gatewayKey, 'azure-key-canary', 'presented-by-somebody', 'a secret wish']) {
      expect(() => watch.expectNoneIn({ ...nothing, log: `x ${secret} y` })).toThrow('secrets in sight');
      expect(() => watch.expectNoneIn({ ...nothing, metrics: `x{a="${secret}"} 1` })).toThrow('secrets in sight');
    }
    const entra = watch.remembering(() => async () => ({ token: new Secret('issued-token'), expiresAt: 1 }));
    await entra?.('scope')(AbortSignal.timeout(1_000));
    expect(() => watch.expectNoneIn({ ...nothing, log: 'issued-token' })).toThrow('secrets in sight');

    await ask({ 'x-echo': 'azure-key-canary' });
    expect(() => watch.expectNoneIn(nothing)).toThrow('secrets in sight');
  });
});

const canaries = {
  prompt: 'prompt-canary in a cage',
  user: 'user-canary',
  file: 'file-canary.png',
  cookie: 'cookie-canary',
  agent: 'agent-canary',
  extra: 'extra-canary',
  query: 'query-canary',
  revised: 'revised-canary',
  said: 'said-canary',
};

const wasSeen = new RegExp(Object.values(canaries).join('|'));

/** What Azure says in its own words is for the log, the rest is not. */
const { said: _said, ...ofOthers } = canaries;
const wasLogged = new RegExp(Object.values(ofOthers).join('|'));

describe('an upstream that says everything that it was told', () => {
  // A cookie and the like never reach Azure.
  const { prompt, user, extra, said } = canaries;
  const echo = {
    message: JSON.stringify({ prompt, user, extra, said }),
    code: canaries.said,
    param: canaries.said,
    type: canaries.said,
  };
  const answers: readonly (readonly [string, number, unknown])[] = [
    ['a success', 200, { created: 1, data: [{ b64_json: tinyPng, revised_prompt: canaries.revised }], error: null }],
    ['a link', 200, { created: 1, data: [{ url: `https://a.example/${canaries.said}.png?sig=${canaries.said}` }] }],
    ['no image', 200, { created: 1, data: [{ b64_json: canaries.said }] }],
    ['an error in a success', 200, { error: echo }],
    ['a bad request', 400, { error: echo }],
    ['a refusal', 400, { error: { ...echo, code: 'content_policy_violation' } }],
    ['a wrong key', 401, { error: echo }],
    ['too many requests', 429, { error: echo }],
    ['a failure', 500, { error: echo }],
    ['a page', 502, `<h1>${canaries.said}</h1>`],
  ];

  test.each(answers)('%s: nothing of that is in the log, and of errors nothing is told', async (_, status, said) => {
    const azure = await startHostileAzure();
    const { store } = await startStore();
    azure.answer = (_request, response) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-ms-request-id': 'id',
        'x-said': canaries.said,
      });
      response.end(typeof said === 'string' ? said : JSON.stringify(said));
    };
    const gateway = await startGateway(everyProvider(azure.origin), { store });
    const headers = { cookie: canaries.cookie, 'user-agent': canaries.agent, 'x-said': canaries.said };
    for (const model of providers) {
      for (const more of [{}, { response_format: 'url' }, { response_format: 'b64_json' }, { stream: true }]) {
        const body = {
          model,
          prompt: `${canaries.prompt} ${model}`,
          user: canaries.user,
          metadata: canaries.extra,
          ...more,
        };
        const path = `/v1/images/generations?a=${canaries.query}`;
        const answer = await callGateway(gateway.url, body, { path, headers });
        if (answer.status !== 200) expect(answer.text).not.toMatch(wasSeen);
      }
    }
    const form = new FormData();
    for (const [name, value] of [
      ['model', 'v1'],
      ['prompt', canaries.prompt],
      ['user', canaries.user],
      ['metadata', canaries.extra],
    ] as const) {
      form.append(name, value);
    }
    form.append('image', new Blob([new Uint8Array(await pngImage())]), canaries.file);
    const key = { authorization: `Bearer ${gatewayKey}` };
    await (await fetch(`${gateway.url}/v1/images/edits`, { method: 'POST', headers: key, body: form })).text();
    await expect.poll(() => gateway.app.gateway.inFlight).toBe(0);
    expect(gateway.logText()).not.toMatch(wasLogged);
    expect(gateway.log.length).toBeGreaterThan(20);
  });
});
