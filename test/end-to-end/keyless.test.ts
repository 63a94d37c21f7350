import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/start-simulator.ts';
import { type EntraTokens, loadEntra } from '../../src/upstream/entra.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';

/** What asks for a token gets; tests may set it to something else. */
type Issue = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
let issue: Issue;
let entra: EntraTokens;

/**
 * The one managed identity of this process: the library keeps its address for ever, so it stays the same for all tests, and
 * leads each of them to its own simulator.
 */
const source = createServer((request, response) => void issue(request, response));
const identity = 'simulator-identity';
const variables = ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER', 'AZURE_TOKEN_CREDENTIALS'] as const;
const before = variables.map((name) => [name, process.env[name]] as const);

beforeAll(async () => {
  source.listen(0, '127.0.0.1');
  await once(source, 'listening');
  process.env.IDENTITY_ENDPOINT = `http://127.0.0.1:${(source.address() as AddressInfo).port}/msi/token`;
  process.env.IDENTITY_HEADER = identity;
  // No developer's login of this machine is asked for.
  process.env.AZURE_TOKEN_CREDENTIALS = 'ManagedIdentityCredential';
  entra = await loadEntra();
});
afterAll(() => {
  source.closeAllConnections();
  source.close();
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** Asks this simulator's identity for tokens, with the header that the library sends, or another one. */
function issuedBy({ origin }: Simulator, header?: string): Issue {
  return async ({ url = '', headers }, response) => {
    const given = header ?? String(headers['x-identity-header']);
    const answer = await fetch(`${origin}${url}`, { headers: { 'x-identity-header': given } });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  };
}

const auth = { entra: { scope: 'https://ai.azure.com/.default' } };

function modelsAt(origin: string): object {
  const common = { auth, maxRetries: 1 };
  const agent = {
    ...common,
    provider: 'foundry-agent',
    model: 'gpt-image-1',
    baseURL: `${origin}/api/projects/studio`,
    agent: 'artist',
    imageDeployment: 'gpt-image-1',
  };
  const deployment = { provider: 'azure-deployment', deployment: 'gpt-image-2', apiVersion: '2025-04-01-preview' };
  return {
    limits: { lingerMs: 0 },
    models: {
      agent,
      later: { ...agent, background: true },
      deployment: { ...common, ...deployment, model: 'gpt-image-2', baseURL: origin },
      v1: { ...common, provider: 'azure-v1', model: 'gpt-image-1.5', baseURL: origin },
      'dall-e-2': { ...common, provider: 'azure-async', model: 'dall-e-2', baseURL: origin },
    },
  };
}

type Keyless = { readonly gateway: StartedGateway; readonly simulator: Simulator };

async function startKeyless(options: SimulatorOptions = {}): Promise<Keyless> {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1, ...options });
  onTestFinished(() => simulator.close());
  issue = issuedBy(simulator);
  return { simulator, gateway: await startGateway(modelsAt(simulator.origin), { entra }) };
}

async function outcome({ url }: StartedGateway, model: string): Promise<string> {
  const { status, headers, json } = await callGateway(url, { model, prompt: 'a cat' });
  const { error } = json();
  return [status, error?.code, headers.get('x-gateway-attempts')].filter((part) => part != null).join(', ');
}

describe('a gateway without keys', () => {
  test('draws with every protocol by one token', async () => {
    const { gateway, simulator } = await startKeyless();
    const client = new OpenAI({ apiKey: gatewayKey, baseURL: `${gateway.url}/v1` });
    for (const model of ['agent', 'later', 'deployment', 'v1', 'dall-e-2']) {
      const { data } = await client.images.generate({ model, prompt: 'a cat' });
      expect([model, data?.length]).toEqual([model, 1]);
    }
    expect(simulator.tokens.issued).toBe(1);
    const credentials = simulator.ledger.requests
      .filter(({ path }) => /^\/(openai|api)\//.test(path))
      .map(({ headers }) => [headers['api-key'], /^Bearer \S{64}$/.test(String(headers.authorization))]);
    expect(credentials).toEqual(credentials.map(() => [undefined, true]));
  });

  test('asks once for a token, however many callers wait for it', async () => {
    const { gateway, simulator } = await startKeyless();
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => outcome(gateway, 'deployment')));
    expect(outcomes).toEqual(outcomes.map(() => '200, 1'));
    expect(simulator.tokens.issued).toBe(1);
  });

  test.each(['agent', 'deployment', 'dall-e-2'])('%s: a token that is refused is replaced once', async (model) => {
    const { gateway, simulator } = await startKeyless();
    expect(await outcome(gateway, model)).toBe('200, 1');
    simulator.tokens.revokeAll();
    expect(await outcome(gateway, model)).toBe('200, 2');
    expect(simulator.tokens.issued).toBe(2);
    // What replaced a token a moment ago is not replaced again.
    simulator.tokens.revokeAll();
    expect(await outcome(gateway, model)).toBe('502, upstream_auth_failed, 1');
    expect(simulator.tokens.issued).toBe(2);
  });

  test('goes on with a new token when one expires while a job is polled', async () => {
    const { gateway, simulator } = await startKeyless({ operationMs: 1_500 });
    const call = outcome(gateway, 'later');
    const polls = () => simulator.ledger.requests.filter(({ path, method }) => method === 'GET' && /resp_/.test(path));
    await expect.poll(() => polls().length).toBeGreaterThan(0);
    simulator.tokens.revokeAll();
    expect(await call).toBe('200, 1');
    expect(simulator.tokens.issued).toBe(2);
    expect(simulator.ledger.counts().billed).toBe(1);
  });

  test('replaces its tokens when half of their life is over', async () => {
    const { gateway, simulator } = await startKeyless({ tokenSeconds: 4 });
    await expect
      .poll(() => outcome(gateway, 'deployment').then(() => simulator.tokens.issued), { timeout: 60_000 })
      .toBe(2);
    expect(simulator.ledger.requests.filter(({ path }) => path.startsWith('/msi')).length).toBe(2);
  });

  test('says what is wrong when Azure does not let its identity in', async () => {
    const { gateway, simulator } = await startKeyless();
    issue = issuedBy(simulator, 'wrong-identity-canary');
    expect(await outcome(gateway, 'agent')).toBe('502, upstream_auth_failed, 1');
    const [line] = gateway.log.filter(({ route }) => route === '/v1/images/generations');
    expect(line).toMatchObject({
      error: { kind: 'upstream_auth_failed', outcome: 'not-processed', hint: expect.any(String) },
    });
    expect(gateway.logText()).not.toContain('wrong-identity-canary');
    expect(simulator.ledger.counts().billed).toBe(0);
  });
});

describe('a token source that is out of order', () => {
  const json = (response: ServerResponse, body: object) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  const inAnHour = () => String(Math.floor(Date.now() / 1000) + 3600);

  const sources: [string, (response: ServerResponse) => void][] = [
    ['down', (response) => void response.destroy()],
    ['silent', () => {}],
    ['talking nonsense', (response) => void response.end('<html>source-canary</html>')],
    ['giving nothing', (response) => void json(response, {})],
    ['giving an expired token', (response) => void json(response, { access_token: 'source-canary', expires_on: '1' })],
    [
      'giving a token with line breaks',
      (response) => void json(response, { access_token: 'source-canary\r\nx: y', expires_on: inAnHour() }),
    ],
    ['failing', (response) => void response.writeHead(500).end('source-canary')],
  ];

  test.each(sources)('%s: 502, nothing is sent, and the next callers do not wait', async (_name, answer) => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    issue = (_request, response) => answer(response);
    const gateway = await startGateway(modelsAt(simulator.origin), { entra, upstreamTimes: { acquireMs: 2_000 } });
    expect(await outcome(gateway, 'deployment')).toBe('502, upstream_auth_failed, 1');
    const again = await Promise.all(Array.from({ length: 5 }, () => outcome(gateway, 'agent')));
    expect(again).toEqual(again.map(() => '502, upstream_auth_failed, 1'));
    expect(simulator.ledger.requests).toEqual([]);
    expect(gateway.logText()).not.toContain('source-canary');
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });
});
