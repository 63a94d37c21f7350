import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tokenCredential } from '../../src/upstream/credential.ts';
import { loadEntra } from '../../src/upstream/entra.ts';
import { TokenSource } from '../../src/upstream/token-source.ts';

const scope = 'https://ai.azure.com/.default';
const header = 'identity-header-canary';
const secret = 'token-canary';
const never = new AbortController().signal;

/** Everything that @azure/identity reads to find an identity must be the test's own. */
const environment = { ...process.env };
beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (/^(AZURE|IDENTITY|MSI|IMDS)_/.test(name)) delete process.env[name];
  }
  // All others are developers' tools, which take long to find out that they are not there.
  process.env.AZURE_TOKEN_CREDENTIALS = 'ManagedIdentityCredential';
  process.env.IDENTITY_ENDPOINT = endpoint;
  process.env.IDENTITY_HEADER = header;
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
});

type Asked = { readonly url: URL; readonly headers: IncomingMessage['headers'] };

type AnswerToken = (response: ServerResponse, call: number) => void;

let answerToken: AnswerToken = () => {};
let asked: Asked[] = [];
const server = http.createServer((request, response) => {
  asked.push({ url: new URL(request.url ?? '', 'http://127.0.0.1'), headers: request.headers });
  answerToken(response, asked.length);
});
let endpoint = '';

// The library remembers where the identity is, for as long as the process lives: all tests have the same endpoint.
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/msi/token`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** The managed identity of an App Service, on loopback. */
function serveIdentity(answer: AnswerToken): Asked[] {
  answerToken = answer;
  asked = [];
  return asked;
}

function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const expiresOn = () => Math.floor(Date.now() / 1000) + 86_400;

const tokenBody = (access_token: unknown) => ({
  access_token,
  expires_on: String(expiresOn()),
  // As it was asked for: only then the library keeps the token.
  resource: 'https://ai.azure.com',
  token_type: 'Bearer',
});

async function acquire(signal = never) {
  const entra = await loadEntra();
  return entra(scope)(signal);
}

describe('a token of the managed identity', () => {
  test('is asked for with the scope’s resource, and comes with its end in milliseconds', async () => {
    const asked = serveIdentity((response) => sendJson(response, tokenBody(secret)));
    const { token, expiresAt } = await acquire();
    expect(token.expose()).toBe(secret);
    expect(Math.abs(expiresAt / 1000 - expiresOn())).toBeLessThan(5);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.url.pathname).toBe('/msi/token');
    expect(asked[0]?.url.searchParams.get('resource')).toBe('https://ai.azure.com');
    expect(asked[0]?.headers['x-identity-header']).toBe(header);
  });

  test('is shown as a bearer token, and replaced when it is refused', async () => {
    serveIdentity((response, call) => sendJson(response, tokenBody(`${secret}-${call}`)));
    const credential = tokenCredential(new TokenSource((await loadEntra())(scope)));
    const first = await credential.show(never);
    expect(first.header).toEqual({ authorization: `Bearer ${secret}-1` });
    expect((await credential.show(never)).header).toEqual(first.header);
    expect(first.refused()).toBe('now');
    const second = await credential.show(never);
    expect(second.header).toEqual({ authorization: `Bearer ${secret}-2` });
    expect(second.refused()).toBe('later');
  });

  test('is a new one each time, although the library keeps those of managed identities for all', async () => {
    const asked = serveIdentity((response, call) => sendJson(response, tokenBody(`${secret}-${call}`)));
    const entra = await loadEntra();
    const tokens = [];
    for (let call = 0; call < 3; call += 1) tokens.push(await entra(scope)(never));
    expect(tokens.map(({ token }) => token.expose())).toEqual([1, 2, 3].map((call) => `${secret}-${call}`));
    expect(asked).toHaveLength(3);
  });

  test('is not taken when it could break a header', async () => {
    serveIdentity((response) => sendJson(response, tokenBody(`${secret}\r\nx-other: 1`)));
    const error = await acquire().catch((reason) => reason);
    expect(error).toMatchObject({ message: 'the token is not usable in a header' });
    expect(inspect(error, { depth: 9 })).not.toContain('canary');
  });
});

describe('no token', () => {
  const answers: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ['400 with a message', (response) => sendJson(response, { error: 'invalid', message: `${secret} no` }, 400)],
    ['401 with an error', (response) => sendJson(response, { error: { code: secret, message: secret } }, 401)],
    ['403 with text', (response) => void response.writeHead(403).end(secret)],
    ['200 with HTML', (response) => void response.writeHead(200).end(`<html>${secret}</html>`)],
    ['200 with an empty object', (response) => sendJson(response, {})],
    ['200 without a body', (response) => void response.writeHead(200).end()],
    ['200 with a token of no text', (response) => sendJson(response, tokenBody(''))],
  ];

  test.each(answers)('for %s: an error of codes and names only', async (_name, answer) => {
    serveIdentity(answer);
    const error = await acquire().catch((reason) => reason);
    expect(error).toMatchObject({ name: expect.stringMatching(/^(SignInError|TypeError)$/) });
    if (error.name === 'SignInError') {
      expect(Object.keys(error).sort()).toEqual(['code', 'name']);
      expect(error.code).toMatch(/^[A-Za-z0-9]+(, [A-Za-z0-9]+)*$/);
    }
    expect(error.cause).toBeUndefined();
    expect(inspect(error, { depth: 9 })).not.toMatch(/canary|127\.0\.0\.1/);
  });

  test.each<[string, AnswerToken]>([
    ['hangs', () => {}],
    ['breaks every connection', (response) => void response.destroy()],
    ['is broken', (response) => sendJson(response, { message: secret }, 500)],
  ])('for an endpoint that %s: its caller does not wait longer than acquireMs', async (_name, answer) => {
    serveIdentity(answer);
    const source = new TokenSource((await loadEntra())(scope), { times: { acquireMs: 150 } });
    const begin = performance.now();
    const error = await source.token(never).catch((reason) => reason);
    expect(error).toMatchObject({ kind: 'upstream_auth_failed', outcome: 'not-processed' });
    expect(performance.now() - begin).toBeLessThan(1_000);
    expect(inspect(error, { depth: 9 })).not.toMatch(/canary|127\.0\.0\.1/);
  });

  test('for a service principal that Microsoft does not know: its own codes', async () => {
    const entra = await loadEntra();
    serveIdentity((response) =>
      sendJson(response, { error: 'x', message: `AADSTS700016: ${secret} AADSTS90002: ${secret}` }, 400),
    );
    const error = await entra(scope)(never).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'AADSTS700016, AADSTS90002' });
    expect(inspect(error, { depth: 9 })).not.toContain('canary');
  });
});

test('an environment that makes no sense to the library is found before anything listens', async () => {
  process.env.AZURE_TOKEN_CREDENTIALS = 'NonsenseCredential';
  await expect(loadEntra()).rejects.toThrow('NonsenseCredential');
});
