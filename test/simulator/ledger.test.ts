import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Caller, json, openCaller } from './call-simulator.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

test('counts what would be billed, by flow, deployment and scenario', async () => {
  await caller.generate('gpt-image-2', { prompt: 'a cat', n: 3 });
  await caller.generate('gpt-image-2', { prompt: 'simulate:filter-item', n: 2 });
  await caller.generate('gpt-image-2', { prompt: 'simulate:500' });
  await caller.submit({ prompt: 'a dog' });
  expect(json(await caller.call('GET', '/simulator/ledger', undefined, {}))).toEqual({
    billed: 3,
    images: 6,
    received: 4,
    requests: 4,
    cancelled: 0,
    billedByOperation: { generate: 3 },
    billedByFlow: { 'azure-deployment': 2, 'azure-async': 1 },
    billedByDeployment: { 'gpt-image-2': 2, 'dall-e-2': 1 },
    billedByScenario: { none: 2, 'filter-item': 1 },
  });
});

test('keeps what was sent: method, path, query, headers and parsed body', async () => {
  await caller.generate('gpt-image-2', { prompt: 'a cat' });
  expect(caller.simulator.ledger.requests).toMatchObject([
    {
      method: 'POST',
      path: '/openai/deployments/gpt-image-2/images/generations',
      query: { 'api-version': '2025-04-01-preview' },
      headers: { 'api-key': 'test-key', 'content-type': 'application/json' },
      body: { prompt: 'a cat' },
    },
  ]);
});

test('remembers the last thousand requests, but counts all', async () => {
  const { ledger } = caller.simulator;
  for (let number = 0; number < 1005; number += 1) {
    ledger.noteRequest({ method: 'GET', path: `/${number}`, query: {}, headers: {}, body: undefined, at: 0 });
  }
  expect([ledger.requests.length, ledger.requests[0]?.path, ledger.counts().requests]).toEqual([1000, '/5', 1005]);
});

test('is emptied by a reset', async () => {
  await caller.generate('gpt-image-2', { prompt: 'a cat' });
  expect((await caller.call('POST', '/simulator/reset', undefined, {})).status).toBe(204);
  const { ledger } = caller.simulator;
  expect([ledger.generations, ledger.requests, ledger.received]).toEqual([[], [], 0]);
});
