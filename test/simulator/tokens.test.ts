import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { projectPath, resourcePath, tokenFor } from './call-responses.ts';
import { type Caller, json, openCaller } from './call-simulator.ts';

let caller: Caller;
beforeEach(async () => {
  caller = await openCaller();
});
afterEach(() => caller.close());

const [cognitive, foundry] = ['https://cognitiveservices.azure.com', 'https://ai.azure.com'];
const good = `/msi/token?api-version=2019-08-01&resource=${foundry}`;
const identity = { 'x-identity-header': 'simulator-identity' };

const generate = (headers: Record<string, string>) =>
  caller.call('POST', '/openai/v1/images/generations', { model: 'gpt-image-2', prompt: 'a cat' }, headers);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('the managed identity', () => {
  test('issues tokens as App Service does', async () => {
    const response = await caller.call('GET', `${good}&client_id=mine`, undefined, identity);
    const body = json(response);
    expect([response.status, body]).toEqual([
      200,
      {
        access_token: expect.stringMatching(/^[\w-]{64}$/),
        expires_on: expect.stringMatching(/^\d{10}$/),
        resource: foundry,
        token_type: 'Bearer',
        client_id: 'mine',
      },
    ]);
    expect(await tokenFor(caller, foundry)).not.toBe(body.access_token);
    expect(caller.simulator.tokens.issued).toBe(2);
  });

  test.each([
    ['no header', good, {}, 400],
    ['a wrong header', good, { 'x-identity-header': 'wrong' }, 401],
    ['another api-version', good.replace('2019-08-01', '2017-09-01'), identity, 400],
    ['no resource', '/msi/token?api-version=2019-08-01', identity, 400],
  ])('refuses a request with %s', async (_name, target, headers, status) => {
    const response = await caller.call('GET', target, undefined, headers);
    expect([response.status, json(response)]).toEqual([status, { statusCode: status, message: expect.any(String) }]);
    expect(caller.simulator.tokens.issued).toBe(0);
  });

  test('takes the header that it was started with', async () => {
    const other = await openCaller({ identityHeader: 'mine' });
    try {
      expect(await tokenFor(other, foundry)).toEqual(expect.any(String));
      expect((await other.call('GET', good, undefined, identity)).status).toBe(401);
    } finally {
      await other.close();
    }
  });
});

describe('a token', () => {
  test.each([cognitive, foundry, `${cognitive}/`])('for %s opens the paths of the resource', async (resource) => {
    const headers = bearer(await tokenFor(caller, resource));
    expect((await generate(headers)).status).toBe(200);
    expect((await generate({ ...headers, 'api-key': 'test-key' })).status).toBe(200);
    expect((await generate({ ...headers, 'api-key': 'wrong' })).status).toBe(401);
  });

  test('for another resource, or made up, opens nothing', async () => {
    for (const token of [await tokenFor(caller, 'https://vault.azure.net'), 'made-up']) {
      const response = await generate(bearer(token));
      expect([response.status, json(response).error]).toEqual([
        401,
        { code: '401', message: expect.stringContaining('Access token is missing, invalid') },
      ]);
    }
  });

  test('may be the key itself, as ever', async () => {
    expect((await generate(bearer('test-key'))).status).toBe(200);
  });

  test('ends when all are revoked, and a new one is good', async () => {
    const token = await tokenFor(caller, cognitive);
    caller.simulator.tokens.revokeAll();
    expect((await generate(bearer(token))).status).toBe(401);
    expect((await generate(bearer(await tokenFor(caller, cognitive)))).status).toBe(200);
    expect(caller.simulator.tokens.issued).toBe(2);
  });

  test('ends with its time', async () => {
    const short = await openCaller({ tokenSeconds: 0 });
    try {
      const headers = bearer(await tokenFor(short, cognitive));
      expect((await short.call('GET', `${resourcePath}/resp_1`, undefined, headers)).status).toBe(401);
    } finally {
      await short.close();
    }
  });
});

describe('the paths of a project', () => {
  const find = (headers: Record<string, string>) => caller.call('GET', `${projectPath}/resp_1`, undefined, headers);

  test('take tokens of Foundry', async () => {
    expect((await find(bearer(await tokenFor(caller, foundry)))).status).toBe(404);
  });

  test('take no other token and no key', async () => {
    const token = await tokenFor(caller, foundry);
    for (const headers of [
      {},
      { 'api-key': 'test-key' },
      bearer('test-key'),
      bearer(await tokenFor(caller, cognitive)),
      { ...bearer(token), 'api-key': 'test-key' },
    ]) {
      expect((await find(headers)).status).toBe(401);
    }
  });
});
