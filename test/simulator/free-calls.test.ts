import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, json, openCaller } from './call-simulator.ts';

let caller: Caller;
let token: string;

beforeAll(async () => {
  caller = await openCaller();
  const { identityHeader } = caller.simulator;
  const path = '/msi/token?api-version=2019-08-01&resource=https://ai.azure.com';
  token = json(await caller.call('GET', path, undefined, { 'x-identity-header': identityHeader })).access_token;
});
afterAll(() => caller.close());

describe('calls that cost nothing', () => {
  test.each([
    ['/openai/models?api-version=2024-10-21', 200],
    ['/openai/models?api-version=nonsense', 404],
    ['/openai/models', 404],
    ['/openai/v1/models', 200],
    ['/openai/v1/models?api-version=2024-10-21', 404],
  ])('GET %s is a %i with a key, and a 401 without', async (path, status) => {
    expect((await caller.call('GET', path)).status).toBe(status);
    expect((await caller.call('GET', path, undefined, {})).status).toBe(401);
  });

  test.each([
    ['deployments?api-version=v1', 200],
    ['deployments/gpt-image-2?api-version=v1', 200],
    ['deployments/gpt-4.1?api-version=v1', 200],
    ['deployments/unknown?api-version=v1', 404],
    ['agents/artist?api-version=v1', 200],
    ['agents/artist/versions/3?api-version=v1', 200],
    ['agents/nobody?api-version=v1', 404],
    ['deployments/gpt-image-2', 404],
  ])('GET %s of a project is a %i with a token, and a 401 with a key', async (path, status) => {
    const url = `/api/projects/studio/${path}`;
    expect((await caller.call('GET', url, undefined, { authorization: `Bearer ${token}` })).status).toBe(status);
    expect((await caller.call('GET', url)).status).toBe(401);
  });

  test('none of them is billed', () => {
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 0 });
  });
});
