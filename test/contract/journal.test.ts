import { afterEach, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { operations, resultLink } from '../fixtures/azure-responses.ts';
import { tinyPng } from '../fixtures/images.ts';
import { azureOrigin, type MockedAzure, mockAzure } from './mock-azure.ts';
import {
  acceptOperation,
  acceptResponse,
  allProviders,
  azureAsyncFlow,
  cancelPath,
  collect,
  credential,
  foundryBackground,
  imageCall,
  operationPath,
  type ProviderUnderTest,
  pending,
  rejection,
  responseId,
  responseOf,
  responsePath,
  startCall,
} from './providers.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const background = [
  {
    ...azureAsyncFlow,
    handle: operationPath,
    pollPath: operationPath,
    running: { body: operations.running },
    ended: { body: operations.succeeded },
    accept: acceptOperation,
    image: { type: 'url', index: 0, url: resultLink },
  },
  {
    ...foundryBackground,
    handle: responseId,
    pollPath: responsePath,
    running: { body: pending },
    ended: { body: responseOf([imageCall(tinyPng)]) },
    accept: acceptResponse,
    image: { type: 'bytes', base64: tinyPng },
  },
];

/** Steps in the order in which they happened: what was shown, reported and sent. */
function recordSteps(azure: MockedAzure) {
  const steps: string[] = [];
  const show = credential.show.bind(credential);
  vi.spyOn(credential, 'show').mockImplementation(async (signal) => {
    const shown = await show(signal);
    steps.push('credential');
    return shown;
  });
  const sent = () => azure.requests.map(({ method }) => method);
  return { steps, note: (step: string) => steps.push([step, ...sent()].join(' after ')) };
}

describe.each(background)('$name', ({ handle, pollPath, running, ended, accept, image, ...provider }) => {
  test('shows its credential, dispatches, sends the POST, notes the handle, and then polls', async () => {
    const azure = mockAzure();
    const { steps, note } = recordSteps(azure);
    accept(azure, running, ended);
    const call = startCall(provider, { onJournal: note });
    expect(await collect(await call.events)).toContainEqual(image);
    expect(steps).toEqual([
      'credential',
      'dispatch',
      `${handle} after POST`,
      // One for each poll.
      'credential',
      'credential',
    ]);
    expect(azure.requests.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET']);
  });

  test('resumes by its handle: it polls again, and pays and notes nothing', async () => {
    const azure = mockAzure();
    azure.get(pollPath, running, ended);
    const call = startCall(provider, { handle });
    expect(await collect(await call.events)).toContainEqual(image);
    expect(azure.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(Array(2).fill(`GET ${pollPath}`));
    expect(call.journal).toEqual([]);
    expect(call.attempt.sent).toBe(true);
  });

  test('that is resumed and loses its job: the outcome is unknown, never “nothing was sent”', async () => {
    const azure = mockAzure();
    azure.get(pollPath, { status: 404 });
    if (handle === responseId) azure.post(cancelPath, {});
    const call = startCall(provider, { handle, retryUntil: performance.now() + 300 });
    expect(await rejection(call.events)).toMatchObject({ outcome: 'unknown' });
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test.each([
    '',
    '/',
    '..',
    '../../admin',
    '//elsewhere.example/openai/operations/images/1',
    '/\\elsewhere.example/openai/operations/images/1',
    'https://elsewhere.example/openai/operations/images/1',
    `${azureOrigin}/openai/operations/images/1`,
    '/openai/operations/images/',
    '/openai/operations/%2e%2e/admin',
    '/openai/../admin/1',
    '/admin/1',
    'resp_1?x=1',
    'resp%2f1',
    'r'.repeat(257),
    '\u0000',
    'a handle with blanks',
  ])('with the handle %j: sends nothing, and the outcome is unknown', async (garbage) => {
    const azure = mockAzure();
    const call = startCall(provider, { handle: garbage });
    expect(await rejection(call.events)).toMatchObject({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
    expect(azure.requests).toEqual([]);
    expect(call.journal).toEqual([]);
  });
});

test('a response in the background that is resumed and aborted is cancelled, as one that is called anew', async () => {
  const azure = mockAzure();
  azure.get(responsePath, { body: pending, headers: { 'retry-after': '60' } });
  azure.post(cancelPath, { body: responseOf([], { status: 'cancelled' }) });
  const abort = new AbortController();
  const reason = new GatewayError('client_gone', 'gone');
  const call = startCall(foundryBackground, { handle: responseId, signal: abort.signal });
  await vi.waitFor(() => expect(azure.requests).toHaveLength(1), 2_000);
  abort.abort(reason);
  expect(await rejection(call.events)).toBe(reason);
  await vi.waitFor(() => expect(azure.requests).toHaveLength(2));
});

describe.each(allProviders)('$name', (provider: ProviderUnderTest) => {
  test('whose dispatch is rejected sends nothing, and fails with that', async () => {
    const azure = mockAzure();
    const failure = new GatewayError('storage_failed', 'no journal.', { outcome: 'not-processed' });
    const call = startCall(provider, { dispatch: () => Promise.reject(failure) });
    expect(await rejection(call.events)).toBe(failure);
    expect(call.attempt).toEqual({ sent: false });
    expect(azure.requests).toEqual([]);
  });

  test('that is aborted while it dispatches sends nothing', async () => {
    const azure = mockAzure();
    const abort = new AbortController();
    const reason = new GatewayError('client_gone', 'gone');
    const call = startCall(provider, { signal: abort.signal, dispatch: async () => abort.abort(reason) });
    expect(await rejection(call.events)).toBe(reason);
    expect(call.attempt.sent).toBe(false);
    expect(azure.requests).toEqual([]);
  });

  test('that is aborted before it has its credential does not dispatch', async () => {
    const azure = mockAzure();
    const call = startCall(provider, { signal: AbortSignal.abort(new GatewayError('client_gone', 'gone')) });
    await rejection(call.events);
    expect(call.journal).toEqual([]);
    expect(azure.requests).toEqual([]);
  });

  test.runIf(background.every(({ name }) => name !== provider.name))('offers no way to resume', () => {
    const call = startCall(provider, { handle: '/openai/operations/images/1' });
    return expect(call.events).rejects.toThrow('it cannot resume');
  });
});
