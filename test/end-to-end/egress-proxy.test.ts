import { describe, expect, test } from 'vitest';
import { parseModels } from '../helpers/parse-models.ts';
import '../faults/trust.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { startConnectProxy } from '../helpers/connect-proxy.ts';
import { serveHttp } from '../helpers/loopback-server.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { startProgram } from './program.ts';
import { requestLines, startRig, tinyPng } from './rig.ts';

const password = 'proxy-password-canary';
const withCredentials = (origin: string) => origin.replace('://', `://me:${password}@`);

/** A models file with one target by https, behind a proxy. */
async function modelsBehind(proxy: string): Promise<object> {
  const port = await serveHttp(
    (request, response) => {
      request.resume().once('end', () => response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] })));
    },
    { secure: true },
  );
  const target = { provider: 'azure-v1', model: 'gpt-image-2', baseURL: `https://localhost:${port}`, apiKey: 'k' };
  return { egressProxy: proxy, models: { image: { ...target, maxRetries: 0 } } };
}

describe('a gateway behind an egress proxy', () => {
  test('draws through it', async () => {
    const authorization = `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;
    const proxy = await startConnectProxy({ authorization });
    const gateway = await startGateway(await modelsBehind(withCredentials(proxy.origin)));
    const answer = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect([answer.status, answer.json().data]).toEqual([200, [{ b64_json: tinyPng }]]);
    expect(proxy.asked).toHaveLength(1);
    expect(gateway.logText()).not.toContain(password);
  });

  test('that refuses says what happened, without a word about the proxy’s name or password, and logs what to do', async () => {
    const proxy = await startConnectProxy({ refusal: 407 });
    const gateway = await startGateway(await modelsBehind(withCredentials(proxy.origin)));
    const answer = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect([answer.status, answer.json().error.code]).toEqual([503, 'upstream_unavailable']);
    expect(answer.json().error.message).toContain('through the proxy');
    expect(answer.text).not.toMatch(/127\.0\.0\.1|localhost|canary/);
    const [line] = requestLines(gateway);
    expect(line?.error).toMatchObject({
      outcome: 'not-processed',
      cause: { name: 'EgressProxyError', code: '407' },
      hint: expect.stringContaining('user and password of `egressProxy`'),
    });
    expect(gateway.logText()).not.toContain(password);
  });

  test('is told about by --check, without the password', async () => {
    const models = await modelsBehind(withCredentials('http://proxy.example.com:3128'));
    const program = await startProgram({ models, arguments: ['--check'] });
    expect(await program.exited).toBe(0);
    expect(program.output.stdout).toContain('through the proxy http://proxy.example.com:3128');
    expect(JSON.stringify(program.output)).not.toContain(password);
  });
});

test('proxies of the environment are not asked', async () => {
  const proxy = await startConnectProxy();
  const { simulator } = await startRig();
  const models = {
    models: {
      image: { provider: 'azure-v1', model: 'gpt-image-2', baseURL: simulator.origin, apiKey: simulator.apiKey },
    },
  };
  expect(parseModels(JSON.stringify(models), {}).egressProxy).toBeUndefined();
  const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'https_proxy', 'http_proxy', 'all_proxy'];
  const env = Object.fromEntries(names.map((name) => [name, proxy.origin]));
  const program = await startProgram({ models, env });
  const headers = { authorization: 'Bearer program-key' };
  const { status } = await callGateway(await program.listening(), { model: 'image', prompt: 'a cat' }, { headers });
  expect([status, proxy.asked, proxy.forwarded]).toEqual([200, [], []]);
});

describe('tokens of Entra ID', () => {
  const scope = 'https://cognitiveservices.azure.com/.default';

  /** A program without keys whose environment names a proxy; its identity is the simulator's. */
  async function startKeyless(env: Record<string, string> = {}) {
    const proxy = await startConnectProxy();
    const { simulator } = await startRig();
    const target = {
      provider: 'azure-v1',
      model: 'gpt-image-2',
      baseURL: simulator.origin,
      auth: { entra: { scope } },
    };
    const program = await startProgram({
      models: { models: { image: target } },
      env: {
        IDENTITY_ENDPOINT: `${simulator.origin}/msi/token`,
        IDENTITY_HEADER: simulator.identityHeader,
        AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
        HTTPS_PROXY: proxy.origin,
        ...env,
      },
    });
    const url = await program.listening();
    const headers = { authorization: 'Bearer program-key' };
    return { proxy, draw: () => callGateway(url, { model: 'image', prompt: 'a cat' }, { headers }) };
  }

  test('are asked for as HTTPS_PROXY says: that is how their package does it', async () => {
    const { proxy, draw } = await startKeyless();
    void draw().catch(() => {});
    await expect.poll(() => proxy.forwarded.join(), { timeout: 60_000 }).toContain('/msi/token');
  });

  test('and as NO_PROXY says', async () => {
    const { proxy, draw } = await startKeyless({ NO_PROXY: '127.0.0.1' });
    expect([(await draw()).status, proxy.forwarded, proxy.asked]).toEqual([200, [], []]);
  });
});
