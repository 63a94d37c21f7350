import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { serveRaw } from '../helpers/loopback-server.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { everyProvider } from './hostile-azure.ts';

// What an upstream says beside its image reaches nobody: callers get headers from a list, and a hostile one costs no
// image.

/** Everything that callers may get to see; the last ones are of the connection. */
const allowed = [
  ...['content-type', 'content-length', 'x-request-id', 'x-should-retry', 'retry-after', 'retry-after-ms', 'allow'],
  ...['x-gateway-model', 'x-gateway-target', 'x-gateway-attempts', 'x-gateway-adapted', 'server-timing'],
  ...['x-gateway-timeout-ms', 'x-gateway-max-retries', 'x-gateway-cost-usd', 'cache-control', 'x-accel-buffering'],
  ...['date', 'connection', 'keep-alive', 'transfer-encoding', 'www-authenticate'],
];

const image = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** Answers every request with these bytes. */
function answering(status: string, lines: readonly string[], body: string): (socket: Socket) => void {
  const head = [`HTTP/1.1 ${status}`, `content-length: ${body.length}`, ...lines].join('\r\n');
  return (socket) => void socket.once('data', () => socket.end(Buffer.from(`${head}\r\n\r\n${body}`, 'latin1')));
}

async function askThrough(onConnection: (socket: Socket) => void, body: object = {}) {
  const origin = `http://127.0.0.1:${await serveRaw(onConnection)}`;
  const gateway = await startGateway(everyProvider(origin));
  const answer = await callGateway(gateway.url, { model: 'v1', prompt: 'a canary', ...body });
  return { answer, gateway };
}

const tempting = [
  'set-cookie: canary=1',
  'location: https://canary.example/',
  'access-control-allow-origin: *',
  'x-ms-region: canary',
  'apim-request-id: canary-id',
  'x-ratelimit-remaining-tokens: 7',
  'strict-transport-security: max-age=0',
  'content-security-policy: canary',
  'x-powered-by: canary',
  'server: canary',
  'www-authenticate: Basic realm="canary"',
  'clear-site-data: "*"',
  'refresh: 0; url=https://canary.example/',
  'trailer: canary',
  'x-gateway-target: canary',
  'x-request-id: canary',
  'link: <https://canary.example>; rel=preload',
];

describe('headers of an upstream', () => {
  test.each([
    ['200 OK', image, 200],
    ['400 Bad Request', '{"error":{"code":"content_policy_violation","message":"canary"}}', 400],
    ['401 Unauthorized', '{"error":{"code":"401","message":"canary"}}', 502],
    ['429 Too Many Requests', '{"error":{"code":"429","message":"canary"}}', 429],
    ['500 Internal Server Error', '<h1>canary</h1>', 502],
  ])('with %s stay behind', async (status, body, told) => {
    const { answer } = await askThrough(answering(status, [...tempting, 'content-type: application/json'], body));
    expect(answer.status).toBe(told);
    expect([...answer.headers.keys()].filter((name) => !allowed.includes(name))).toEqual([]);
    expect(JSON.stringify([...answer.headers])).not.toContain('canary');
    expect(answer.text).not.toContain('canary');
  });

  test.each([
    ['latin1', 'x-ms-request-id: caf\u00e9\u00ff'],
    ['a tab', 'apim-request-id: a\tb'],
    ['an id that is too long', `apim-request-id: ${'a'.repeat(9_000)}`],
    ['an id twice', 'apim-request-id: a\r\napim-request-id: b'],
    ['a strange name', 'x-!#$%&: 1'],
    ['a name like a part of an object', '__proto__: 1\r\nconstructor: 2'],
    ['nonsense where times are expected', 'retry-after: -1e999\r\nretry-after-ms: NaN'],
    ['30 kB', `x-long: ${'a'.repeat(30_000)}`],
  ])('with %s cost no image', async (_, line) => {
    const { answer, gateway } = await askThrough(answering('200 OK', ['content-type: application/json', line], image));
    expect([answer.status, answer.json().data[0]?.b64_json]).toEqual([200, tinyPng]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    expect(gateway.logText()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test.each([
    ['a line break in a value', 'x-a: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['NUL', 'x-a: b\u0000c'],
    ['escape sequences', 'apim-request-id: \u001b[31mred'],
    ['a header without a colon', 'canary'],
    ['a blank before the colon', 'x-a : b'],
  ])('that break the protocol (%s) reach nobody', async (_, line) => {
    const { answer } = await askThrough(answering('200 OK', [line, 'x-behind: canary'], image));
    expect([200, 502]).toContain(answer.status);
    expect(`${answer.text}${JSON.stringify([...answer.headers])}`).not.toContain('canary');
  });
});

describe('what an upstream says in an error', () => {
  const echo = {
    error: {
      code: 'canary-code',
      message: 'canary: your key sk-canary, your prompt, http://10.0.0.1/internal?sig=canary',
      param: 'canary param\r\nx: y',
      type: 'canary-type',
      innererror: { code: 'canary', content_filter_results: { violence: { severity: 'canary' } } },
    },
  };

  test.each(['400 Bad Request', '404 Not Found', '422 Unprocessable', '500 Error', '503 Busy', '418 Teapot'])(
    '%s is told in our own words',
    async (status) => {
      const { answer, gateway } = await askThrough(
        answering(status, ['content-type: application/json'], JSON.stringify(echo)),
      );
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toMatch(/canary|10\.0\.0\.1/);
      expect(gateway.logText()).not.toMatch(/sk-canary|sig=/);
    },
  );
});
