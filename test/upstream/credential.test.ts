import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { Attempt } from '../../src/domain/image-provider.ts';
import { Secret } from '../../src/domain/secret.ts';
import { createUpstreamClient, jsonBody, type UpstreamClient } from '../../src/upstream/client.ts';
import { type Credential, keyCredential, tokenCredential, withHeaders } from '../../src/upstream/credential.ts';
import { type AcquireToken, TokenSource } from '../../src/upstream/token-source.ts';
import { refusedPort, serveHttp } from '../helpers/loopback-server.ts';
import { providerCall } from '../helpers/provider-call.ts';

const key = keyCredential(new Secret('key-canary'));

function openClient(): UpstreamClient {
  const client = createUpstreamClient();
  onTestFinished(() => client.close());
  return client;
}

/** Tokens `token-1`, `token-2`, …, one for each acquisition. */
function tokens(acquire?: AcquireToken) {
  let count = 0;
  const usual: AcquireToken = async () => {
    count += 1;
    return { token: new Secret(`token-${count}`), expiresAt: Date.now() + 3_600_000 };
  };
  return tokenCredential(new TokenSource(acquire ?? usual, { times: { acquireMs: 50 } }));
}

/** A server that gives these statuses, one after the other, and notes what it was shown. */
async function serve(...statuses: readonly number[]) {
  const shown: IncomingMessage['headers'][] = [];
  const port = await serveHttp((request, response) => {
    shown.push(request.headers);
    response.writeHead(statuses[Math.min(shown.length, statuses.length) - 1] ?? 200).end('{}');
  });
  return { url: new URL(`http://127.0.0.1:${port}/path?api-version=1`), shown };
}

const never = new AbortController().signal;

async function post(client: UpstreamClient, url: URL, credential: Credential, signal = never) {
  const attempt: Attempt = { sent: false };
  try {
    const request = { credential, headers: { 'x-of-the-protocol': 'yes' }, body: jsonBody({}) };
    const { status, body, renewal } = await client.post(url, request, providerCall({ signal, attempt }));
    body.destroy();
    return { status, renewal, sent: attempt.sent };
  } catch (error) {
    return { error, sent: attempt.sent };
  }
}

describe('a paid call', () => {
  test('shows a key as api-key, and nothing else', async () => {
    const { url, shown } = await serve(200);
    expect(await post(openClient(), url, key)).toEqual({ status: 200, renewal: undefined, sent: true });
    expect(shown[0]).toMatchObject({ 'api-key': 'key-canary', 'x-of-the-protocol': 'yes' });
    expect(shown[0]).not.toHaveProperty('authorization');
  });

  test('shows a token as a bearer, and no key', async () => {
    const { url, shown } = await serve(200);
    await post(openClient(), url, tokens());
    expect(shown[0]).toMatchObject({ authorization: 'Bearer token-1', 'x-of-the-protocol': 'yes' });
    expect(shown[0]).not.toHaveProperty('api-key');
  });

  test('whose key is refused would show the same one again', async () => {
    const { url } = await serve(401);
    expect(await post(openClient(), url, key)).toMatchObject({ status: 401, renewal: 'never' });
  });

  test('whose token is refused says that there will be another one, once', async () => {
    const { url, shown } = await serve(401);
    const client = openClient();
    const credential = tokens();
    expect(await post(client, url, credential)).toMatchObject({ status: 401, renewal: 'now' });
    expect(await post(client, url, credential)).toMatchObject({ status: 401, renewal: 'later' });
    expect(await post(client, url, credential)).toMatchObject({ status: 401, renewal: 'later' });
    expect(shown.map(({ authorization }) => authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-2',
      'Bearer token-2',
    ]);
  });

  test.each([200, 400, 403, 429, 500])('that is answered with %i keeps its token', async (status) => {
    const { url, shown } = await serve(status);
    const client = openClient();
    const credential = tokens();
    for (let call = 0; call < 2; call += 1) {
      expect(await post(client, url, credential)).toMatchObject({ status, renewal: undefined });
    }
    expect(shown.map(({ authorization }) => authorization)).toEqual(['Bearer token-1', 'Bearer token-1']);
  });

  test.each<[string, AcquireToken]>([
    ['fails', () => Promise.reject(new Error('no'))],
    ['never answers', () => new Promise(() => {})],
  ])('whose way to a token %s was not sent, and is a failed sign-in', async (_name, acquire) => {
    const { url, shown } = await serve(200);
    const begin = performance.now();
    expect(await post(openClient(), url, tokens(acquire))).toMatchObject({
      error: { kind: 'upstream_auth_failed', outcome: 'not-processed' },
      sent: false,
    });
    expect(performance.now() - begin).toBeLessThan(1_000);
    expect(shown).toEqual([]);
  });

  test('that is ended while it waits for a token rejects with the reason, and was not sent', async () => {
    const { url, shown } = await serve(200);
    const abort = new AbortController();
    const reason = new GatewayError('client_gone', 'gone');
    const waiting = post(
      openClient(),
      url,
      tokens(() => new Promise(() => {})),
      abort.signal,
    );
    abort.abort(reason);
    const { error, sent } = await waiting;
    expect(error).toBe(reason);
    expect(sent).toBe(false);
    expect(shown).toEqual([]);
  });
});

describe('a poll', () => {
  test('shows what a paid call shows, and says that its token is replaced', async () => {
    const { url, shown } = await serve(401, 200);
    const client = openClient();
    const credential = tokens();
    const answers = [];
    for (let poll = 0; poll < 2; poll += 1) {
      const { status, renewal, body } = await client.get(url, { credential, signal: never });
      body.destroy();
      answers.push([status, renewal]);
    }
    expect(answers).toEqual([
      [401, 'now'],
      [200, undefined],
    ]);
    expect(shown.map(({ authorization }) => authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });
});

describe('a cancellation', () => {
  test('is a POST without a body, with the credential, for which nobody waits', async () => {
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
    const port = await serveHttp((request, response) => {
      resolve(request);
      response.end('{}');
    });
    const client = openClient();
    client.cancel(new URL(`http://127.0.0.1:${port}/responses/1/cancel?api-version=1`), key);
    const { method, url, headers } = await promise;
    expect([method, url]).toEqual(['POST', '/responses/1/cancel?api-version=1']);
    expect(headers).toMatchObject({ 'api-key': 'key-canary', 'content-length': '0' });
    expect(headers).not.toHaveProperty('content-type');
  });

  test('that has begun is sent before the client is closed', async () => {
    let cancelled = 0;
    const port = await serveHttp((_request, response) => {
      cancelled += 1;
      setTimeout(() => response.end('{}'), 30);
    });
    const client = createUpstreamClient();
    client.cancel(new URL(`http://127.0.0.1:${port}/`), key);
    await client.close();
    expect(cancelled).toBe(1);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['breaks the connection', (response) => void response.destroy()],
    ['answers with an error', (response) => void response.writeHead(500).end('no')],
    ['redirects', (response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()],
    ['never ends its answer', (response) => void response.writeHead(200).write('{')],
  ])('at an upstream that %s changes nothing', async (_name, answer) => {
    const port = await serveHttp((_request, response) => answer(response));
    const client = createUpstreamClient();
    client.cancel(new URL(`http://127.0.0.1:${port}/`), key);
    await client.close();
  });

  test('at an upstream that is not there, or without a token, changes nothing either', async () => {
    const client = createUpstreamClient();
    client.cancel(new URL(`http://127.0.0.1:${await refusedPort()}/`), key);
    client.cancel(
      new URL(`http://127.0.0.1:${await refusedPort()}/`),
      tokens(() => Promise.reject(new Error('no'))),
    );
    await client.close();
  });

  test('at an upstream that is silent holds the end up for two seconds at most', async () => {
    const port = await serveHttp(() => {});
    const client = createUpstreamClient();
    client.cancel(new URL(`http://127.0.0.1:${port}/`), key);
    const begin = performance.now();
    await client.close();
    expect(performance.now() - begin).toBeGreaterThan(1_500);
    expect(performance.now() - begin).toBeLessThan(3_500);
  });
});

test('further headers of a target never replace its credential', async () => {
  const further = { 'api-key': new Secret('another'), 'x-team': new Secret('shop') };
  const shown = await withHeaders(keyCredential(new Secret('azure-key')), further).show(new AbortController().signal);
  expect(shown.header).toEqual({ 'api-key': 'azure-key', 'x-team': 'shop' });
});
