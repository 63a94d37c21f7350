import { describe, expect, test } from 'vitest';
import { exchange } from '../end-to-end/rig.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { everyProvider, sendJson, startHostileAzure, startStranger } from './hostile-azure.ts';

// Upstream addresses come from the configuration alone; nothing in a request leads a call, or a key, elsewhere.

async function startRig() {
  const [azure, stranger] = await Promise.all([startHostileAzure(), startStranger()]);
  azure.answer = (_request, response) => sendJson(response, { created: 1, data: [{ b64_json: tinyPng }] });
  const models = { defaultModel: 'v1', ...everyProvider(azure.origin) };
  return { azure, stranger, ...(await startGateway(models)) };
}

const fields = [
  ...['api_base', 'base_url', 'baseURL', 'azure_endpoint', 'endpoint', 'host', 'origin', 'url', 'proxy', 'callback'],
  ...['api_key', 'api_version', 'deployment', 'deployment_id', 'webhook', 'headers', 'extra_headers', 'extra_body'],
  ...['custom_llm_provider', 'provider', 'litellm_params', 'x-target', 'operation-location'],
];

const headers = [
  ...['x-forwarded-host', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-server', 'x-original-host', 'forwarded'],
  ...['x-real-ip', 'x-original-url', 'x-rewrite-url', 'x-host', 'origin', 'referer', 'via', 'x-portkey-custom-host'],
  ...['x-portkey-config', 'helicone-target-url', 'helicone-openai-api-base', 'x-api-base', 'azure-endpoint'],
  ...[
    'x-base-url',
    'proxy',
    'proxy-authorization',
    'operation-location',
    'location',
    'destination',
    'x-http-host-override',
  ],
];

describe('a host that a caller names', () => {
  test('in a parameter, of any name, is not dialled', async () => {
    const { azure, stranger, url } = await startRig();
    const host = `127.0.0.1:${stranger.port}`;
    for (const name of fields) {
      for (const value of [`http://${host}/v1`, host, { url: `http://${host}` }]) {
        const answer = await callGateway(url, { prompt: 'a canary', [name]: value });
        expect([name, [200, 400].includes(answer.status)]).toEqual([name, true]);
      }
    }
    expect(azure.asked.length).toBeGreaterThan(0);
    expect(new Set(azure.asked.map(({ headers }) => headers.host))).toEqual(new Set([`127.0.0.1:${azure.port}`]));
    expect(stranger.connections).toBe(0);
  });

  test('as its model is no model', async () => {
    const { stranger, url } = await startRig();
    const host = `127.0.0.1:${stranger.port}`;
    for (const model of [`http://${host}/`, host, `azure/${host}`, `//${host}`, `@${host}`]) {
      const answer = await callGateway(url, { model, prompt: 'a canary' });
      expect([model, answer.status, answer.json().error.code]).toEqual([model, 404, 'model_not_found']);
    }
    expect(stranger.connections).toBe(0);
  });

  test('in a header, of any name, is not dialled, and no header of a caller is passed on', async () => {
    const { azure, stranger, url } = await startRig();
    const host = `127.0.0.1:${stranger.port}`;
    for (const name of headers) {
      const answer = await callGateway(url, { prompt: 'a canary' }, { headers: { [name]: `http://${host}/canary` } });
      expect([name, answer.status]).toEqual([name, 200]);
    }
    expect(azure.asked).toHaveLength(headers.length);
    expect(JSON.stringify(azure.asked)).not.toContain(String(stranger.port));
    expect(stranger.connections).toBe(0);
  });

  test.each(['whole URL', 'host header', 'both'])('as the target of its request (%s) is not dialled', async (where) => {
    const { azure, stranger, url } = await startRig();
    const host = `127.0.0.1:${stranger.port}`;
    const body = JSON.stringify({ prompt: 'a canary' });
    const path = '/v1/images/generations';
    const head = [
      `POST ${where === 'host header' ? '' : `http://${host}`}${path} HTTP/1.1`,
      `host: ${where === 'whole URL' ? 'gateway' : host}`,
      `api-key: ${gatewayKey}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
      'connection: close',
    ];
    expect(await exchange(url, `${head.join('\r\n')}\r\n\r\n${body}`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(azure.asked.map(({ headers }) => headers.host)).toEqual([`127.0.0.1:${azure.port}`]);
    expect(stranger.connections).toBe(0);
  });

  test('with CONNECT gets no tunnel', async () => {
    const { stranger, url } = await startRig();
    const host = `127.0.0.1:${stranger.port}`;
    const answer = await exchange(url, `CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\napi-key: ${gatewayKey}\r\n\r\n`);
    expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
    expect(stranger.connections).toBe(0);
  });

  test('as an upgrade gets no other protocol', async () => {
    const { url } = await startRig();
    const upgrade = 'connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-key: AAAA\r\n';
    const answer = await exchange(
      url,
      `GET /v1/models HTTP/1.1\r\nhost: x\r\napi-key: ${gatewayKey}\r\n${upgrade}\r\n`,
    );
    expect(answer).not.toMatch(/^HTTP\/1\.1 101/);
  });
});

describe('an image that a caller names by a link', () => {
  test.each(['image_url', 'url', 'file_id'])('(%s) is not fetched, unless the operator allows it', async (member) => {
    const { azure, stranger, url } = await startRig();
    const images = [{ [member]: `http://127.0.0.1:${stranger.port}/a.png` }];
    const answer = await callGateway(url, { prompt: 'a canary', images }, { path: '/v1/images/edits' });
    expect(answer.status).toBe(400);
    expect([azure.asked.length, stranger.connections]).toEqual([0, 0]);
  });
});
