import { describe, expect, test } from 'vitest';
import { startProgram } from '../end-to-end/program.ts';
import { exchange, modelsFile, startRig } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { sendJson, startHostileAzure } from './hostile-azure.ts';

// Nothing that callers or upstreams say adds a line to the log, or moves the cursor of whoever reads it.

/** Each place has its own: a prompt may not be seen in an error, but the name of a model that does not exist may. */
const hostileIn = (place: string) =>
  `${place} canary\r\n{"level":30,"msg":"forged"}\n\u001b[2J\u001b[31m\u0007\u0000\u009b\u2028\u2029`;

const hostile = hostileIn('upstream');

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const patience = { timeout: 60_000 };

const attacks: readonly object[] = [
  { prompt: hostileIn('prompt') },
  { prompt: 'a cat', model: hostileIn('model') },
  { prompt: 'a cat', size: hostileIn('size') },
  { prompt: 'a cat', user: hostileIn('user') },
  { prompt: 'a cat', response_format: hostileIn('response_format') },
  { prompt: 'a cat', [hostileIn('a')]: 1 },
  { prompt: 'a cat', n: hostileIn('n') },
  { prompt: 'a cat', model: 'dall-e-2', [hostileIn('b')]: hostileIn('value') },
  { prompt: 'a cat', seed: hostileIn('seed'), stream: hostileIn('stream') },
];

const ways = [
  '/v1/images/generations',
  `/m/${encodeURIComponent('canary\r\n{"level":30}\u001b[2J')}/v1/images/generations`,
  `/v1/${encodeURIComponent('canary\r\n\u001b[2J')}`,
];

describe('a log line', () => {
  test('is one line of JSON, whatever a caller sends', async () => {
    const rig = await startRig();
    for (const body of attacks) await callGateway(rig.url, body);
    for (const path of ways) await callGateway(rig.url, { prompt: 'a cat' }, { path });
    for (const header of ['x-request-id', 'user-agent', 'x-target', 'x-stainless-retry-count', 'api-key']) {
      const lines = [`${header}: canary\u001b[2J\u009b31m`, 'connection: close'];
      const key = header === 'api-key' ? [] : [`api-key: ${gatewayKey}`];
      await exchange(rig.url, `${['GET /v1/models HTTP/1.1', 'host: x', ...key, ...lines].join('\r\n')}\r\n\r\n`);
    }
    await expect.poll(() => rig.app.gateway.inFlight).toBe(0);
    const lines = rig.logText().trimEnd().split('\n');
    for (const line of lines) expect(JSON.parse(line).msg).toMatch(/^(request|generation|attempt)$/);
    expect(rig.logText()).not.toMatch(controls);
    expect(rig.logText()).not.toContain('canary');
  });

  test('is one line of JSON, whatever an upstream answers', async () => {
    const azure = await startHostileAzure();
    const gateway = await startGateway(modelsFile(azure.origin));
    const error = { code: hostile, message: hostile, param: hostile, type: hostile, innererror: { code: hostile } };
    for (const status of [200, 400, 404, 429, 500]) {
      azure.answer = (_request, response) => {
        response.writeHead(status, { 'content-type': 'application/json', 'x-ms-request-id': 'a\u009b31m\u00ff' });
        response.end(JSON.stringify({ error, data: [{ b64_json: hostile, revised_prompt: hostile }] }));
      };
      expect((await callGateway(gateway.url, { prompt: 'a cat' })).status).toBeGreaterThanOrEqual(400);
    }
    azure.answer = (_request, response) => sendJson(response, { created: hostile, data: hostile });
    await callGateway(gateway.url, { prompt: 'a cat' });
    const lines = () => gateway.logText().trimEnd().split('\n');
    await expect.poll(() => lines().length).toBe(18);
    expect(gateway.logText()).not.toMatch(controls);
    for (const line of lines()) expect(JSON.parse(line).msg).toMatch(/^(request|generation|attempt)$/);
  });

  test('for people (LOG_PRETTY) has no control characters of others either', async () => {
    const azure = await startHostileAzure();
    const error = { code: hostile, message: hostile, param: hostile };
    azure.answer = (_request, response) => {
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    };
    const program = await startProgram({
      models: modelsFile(azure.origin),
      env: { LOG_PRETTY: '1', LOG_LEVEL: 'debug' },
    });
    await expect.poll(() => program.output.stdout, patience).toMatch(/http:\/\/[\d.:]+/);
    const [url = ''] = /http:\/\/[\d.:]+/.exec(program.output.stdout) ?? [];
    const headers = { authorization: 'Bearer program-key' };
    for (const body of attacks) await callGateway(url, body, { headers });
    await expect
      .poll(() => program.output.stdout.match(/\d{3} POST /g)?.length ?? 0, patience)
      .toBeGreaterThanOrEqual(attacks.length);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of the log itself
    const plain = program.output.stdout.replace(/\u001b\[\d+m/g, '');
    expect(plain).not.toMatch(controls);
    expect(plain).not.toMatch(/"forged"|^.*msg.*forged"/m);
    expect(plain).not.toMatch(/^canary/m);
  });
});

test('nothing of a caller is part of a metric', async () => {
  const rig = await startRig();
  for (const body of attacks) await callGateway(rig.url, body);
  for (const path of ways) await callGateway(rig.url, { prompt: 'a cat' }, { path });
  const answer = await fetch(`${rig.url}/metrics`, { headers: { 'api-key': gatewayKey } });
  const text = await answer.text();
  expect(text).not.toContain('canary');
  expect(text).toMatch(/^gateway_requests_total\{/m);
});
