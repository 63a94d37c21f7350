import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import { tokenCredential } from '../../src/upstream/credential.ts';
import { type AcquireToken, TokenSource } from '../../src/upstream/token-source.ts';
import { operations } from '../fixtures/azure-responses.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { type MockedAzure, mockAzure, type Reply } from './mock-azure.ts';
import {
  acceptOperation,
  acceptResponse,
  azureAsyncFlow,
  azureAsyncWith,
  collect,
  foundryBackground,
  foundryTool,
  foundryToolWith,
  imageCall,
  type ProviderUnderTest,
  pending,
  rejection,
  responseOf,
  startCall,
} from './providers.ts';

const unauthorized: Reply = { status: 401, body: { error: { code: '401', message: 'body-canary' } } };

/** Tokens `token-1`, `token-2`, …; after so many of them no more are to be had. */
function tokens(most = Number.POSITIVE_INFINITY, lifeMs = 3_600_000) {
  let count = 0;
  const acquire: AcquireToken = async () => {
    count += 1;
    if (count > most) throw new Error('no token');
    return { token: new Secret(`token-${count}`), expiresAt: Date.now() + lifeMs };
  };
  return tokenCredential(new TokenSource(acquire, { times: { pauseMs: 20, maxPauseMs: 20 } }));
}

type Polled = {
  readonly name: string;
  readonly paidPath: string;
  with(credential: ReturnType<typeof tokens>): ProviderUnderTest;
  accept(azure: MockedAzure, ...polls: readonly Reply[]): void;
  readonly running: Reply;
  readonly finished: Reply;
  readonly isCancelled: boolean;
};

const polled: readonly Polled[] = [
  {
    name: 'azure-async',
    paidPath: azureAsyncFlow.paidPath,
    with: (credential) => ({ ...azureAsyncFlow, create: azureAsyncWith({ credential }) }),
    accept: acceptOperation,
    running: { body: operations.running },
    finished: { body: operations.succeeded },
    isCancelled: false,
  },
  {
    name: 'foundry-agent in the background',
    paidPath: foundryBackground.paidPath,
    with: (credential) => foundryToolWith({ background: true, credential }),
    accept: acceptResponse,
    running: { body: pending },
    finished: { body: responseOf([imageCall(tinyPng)]) },
    isCancelled: true,
  },
];

const shownIn = ({ requests }: MockedAzure) =>
  requests.map(({ method, headers }) => `${method} ${headers.authorization}`);

describe.each(polled)('a job of $name, called with tokens,', (provider) => {
  test('shows one and the same in its submit and its polls, and no key', async () => {
    const azure = mockAzure();
    provider.accept(azure, provider.running, provider.finished);
    await collect(await startCall(provider.with(tokens())).events);
    expect(shownIn(azure)).toEqual(['POST Bearer token-1', 'GET Bearer token-1', 'GET Bearer token-1']);
    for (const { headers } of azure.requests) expect(headers).not.toHaveProperty('api-key');
  });

  test('whose poll gets 401 replaces the token and goes on', async () => {
    const azure = mockAzure();
    provider.accept(azure, provider.running, unauthorized, provider.running, provider.finished);
    expect(await collect(await startCall(provider.with(tokens())).events)).not.toEqual([]);
    expect(shownIn(azure)).toEqual([
      'POST Bearer token-1',
      'GET Bearer token-1',
      'GET Bearer token-1',
      'GET Bearer token-2',
      'GET Bearer token-2',
    ]);
  });

  test('whose polls get 401 with the new token, too, is requested again: the paid image is still there', async () => {
    const azure = mockAzure();
    provider.accept(azure, unauthorized, unauthorized, provider.finished);
    expect(await collect(await startCall(provider.with(tokens())).events)).not.toEqual([]);
    expect(shownIn(azure)).toEqual([
      'POST Bearer token-1',
      'GET Bearer token-1',
      'GET Bearer token-2',
      'GET Bearer token-2',
    ]);
  });

  test('for whose polls no token is to be had is waited for until the deadline, and never said not to have begun', async () => {
    const azure = mockAzure();
    // The token has expired by the time of the first poll.
    provider.accept(azure);
    const abort = new AbortController();
    const { events } = startCall(provider.with(tokens(1, 90)), { signal: abort.signal });
    let isSettled = false;
    const settled = rejection(events).finally(() => {
      isSettled = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect([isSettled, azure.requests.length]).toEqual([false, 1]);
    const reason = new Error('the deadline');
    abort.abort(reason);
    expect(await settled).toBe(reason);
  });

  test('whose submit gets 401 was not begun, and another token would be shown', async () => {
    const azure = mockAzure();
    azure.post(provider.paidPath, unauthorized, unauthorized);
    const credential = tokens();
    for (const kind of ['upstream_token_refused', 'upstream_auth_failed']) {
      expect(await rejection(startCall(provider.with(credential)).events)).toMatchObject({
        kind,
        outcome: 'not-processed',
      });
    }
    expect(shownIn(azure)).toEqual(['POST Bearer token-1', 'POST Bearer token-2']);
  });

  test('for which no token is to be had is not begun', async () => {
    const azure = mockAzure();
    const { events, attempt } = startCall(provider.with(tokens(0)));
    expect(await rejection(events)).toMatchObject({ kind: 'upstream_auth_failed', outcome: 'not-processed' });
    expect([attempt.sent, azure.requests]).toEqual([false, []]);
  });
});

describe('a gateway whose targets show tokens', () => {
  const { apiKey: _key, maxRetries: _once, ...keyless } = foundryTool.target;
  const target = { ...keyless, auth: { entra: { scope: 'https://ai.azure.com/.default' } } };
  const finished: Reply = { body: responseOf([imageCall(tinyPng)]) };

  /** Calls once; tokens are `{scope's host}-1`, … */
  async function call(targets: readonly object[], { fails = false, maxRetries = 2 } = {}) {
    const acquired: string[] = [];
    const gateway = await startGateway(
      { models: { image: { maxRetries, targets } } },
      {
        entra: (scope) => async () => {
          acquired.push(scope);
          if (fails) throw Object.assign(new Error('token-canary'), { code: 'AADSTS700016' });
          return { token: new Secret(`token-canary-${acquired.length}`), expiresAt: Date.now() + 3_600_000 };
        },
      },
    );
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect(`${called.text}${JSON.stringify([...called.headers])}`).not.toMatch(/canary|AADSTS/);
    expect(gateway.logText()).not.toContain('token-canary-');
    return { called, acquired, log: gateway.logText() };
  }

  test('calls the same target once more with a new token when the old one is refused', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, unauthorized, finished);
    const { called, acquired } = await call([target]);
    expect([called.status, acquired.length]).toEqual([200, 2]);
    expect(shownIn(azure)).toEqual(['POST Bearer token-canary-1', 'POST Bearer token-canary-2']);
  });

  test('gives up when the new token is refused, too', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, unauthorized, unauthorized);
    const { called } = await call([target], { maxRetries: 5 });
    expect([called.status, called.json().error.code, called.headers.get('x-should-retry')]).toEqual([
      502,
      'upstream_auth_failed',
      'false',
    ]);
    expect(azure.requests).toHaveLength(2);
  });

  test('does not call once more where no retry is left', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, unauthorized);
    const { called } = await call([target], { maxRetries: 0 });
    expect([called.status, called.json().error.code, azure.requests.length]).toEqual([502, 'upstream_auth_failed', 1]);
  });

  test('has one token for all targets of a scope', async () => {
    const azure = mockAzure();
    const failure: Reply = { status: 500, body: { error: { code: 'server_error', message: 'no' } } };
    azure.post(foundryTool.paidPath, failure, finished);
    const { called, acquired } = await call([target, { ...target, priority: 1 }]);
    expect([called.status, acquired]).toEqual([200, ['https://ai.azure.com/.default']]);
    expect(shownIn(azure)).toEqual(['POST Bearer token-canary-1', 'POST Bearer token-canary-1']);
  });

  test('without a way to tokens tells callers 502 and its operator why, and sends nothing', async () => {
    const azure = mockAzure();
    const { called, log } = await call([target], { fails: true });
    expect([called.status, called.json().error]).toEqual([
      502,
      {
        message: expect.stringMatching(/could not sign in/),
        type: 'server_error',
        param: null,
        code: 'upstream_auth_failed',
      },
    ]);
    expect(log).toContain('AADSTS700016');
    expect(azure.requests).toEqual([]);
  });

  test('without a way to tokens goes on at a target with a key', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, finished);
    const { called } = await call([target, { ...keyless, apiKey: 'upstream-key-canary', priority: 1 }], {
      fails: true,
    });
    expect([called.status, azure.requests[0]?.headers['api-key']]).toEqual([200, 'upstream-key-canary']);
  });
});
