import { hash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import OpenAI, { NotFoundError, RateLimitError } from 'openai';
import { Agent } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { asker } from '../helpers/ask-gateway.ts';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { callersIn, gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import { editsPath, pngImage as pngOf } from './edits.ts';
import { exchange, modelsFile, openSocket, rawCall, requestLines, startUpstream, tinyPng } from './rig.ts';

const patience = { timeout: 60_000 };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

const oneImage = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

type Setup = {
  readonly callers: object;
  /** Whether calls wait for the test to answer them. */
  readonly isHeld?: boolean;
  readonly lingerMs?: number;
  readonly limits?: object;
};

/** A gateway with these callers in front of an upstream that makes one image, whatever it is asked for. */
async function start({ callers, isHeld = false, lingerMs = 0, limits }: Setup) {
  const held: (() => void)[] = [];
  const upstream = await startUpstream((_request: IncomingMessage, response: ServerResponse) => {
    response.on('error', () => {});
    const answer = () => void response.end(oneImage);
    if (isHeld) held.push(answer);
    else answer();
  });
  const models = { ...modelsFile(upstream.origin, 30_000), ...(limits && { limits }) };
  const gateway = await startGateway(models, { keys: [], callers, times: { lingerMs } });
  let asked = 0;
  /** A request of its own, unless it says what it is. */
  const ask = (key: string, body: object = {}, headers: Record<string, string> = {}) => {
    asked += 1;
    const request = { prompt: `a cat ${asked}`, ...body };
    return callGateway(gateway.url, request, { headers: { ...bearer(key), ...headers } });
  };
  return { gateway, upstream, held, ask };
}

/** A caller with one key, which is called as it is. */
const caller = (key: string, more: object = {}) => ({ [key]: { keys: [{ key }], ...more } });

const limitsOf = ({ headers }: { headers: Headers }, of: 'requests' | 'images') =>
  ['limit', 'remaining', 'reset'].map((part) => headers.get(`x-ratelimit-${part}-${of}`));

function expectLimited(answer: Called): void {
  expect([answer.status, answer.json().error.type, answer.json().error.code]).toEqual([
    429,
    'requests',
    'rate_limit_exceeded',
  ]);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(Number(answer.headers.get('retry-after-ms'))).toBeGreaterThan(0);
}

const accountOf = ({ app }: StartedGateway, key: string) => app.keyStore.find(key)?.consumer;
const seconds = expect.stringMatching(/^(\d+ms|\d+s|1m0s)$/);

describe('keys', () => {
  test('two of one name are valid at once, and the same caller', async () => {
    const { ask, gateway } = await start({
      callers: { shop: { keys: [{ key: 'old-key' }, { key: 'new-key' }], limits: { requests: 3 } } },
    });
    const answers = [await ask('old-key'), await ask('new-key')];
    expect(answers.map((answer) => [answer.status, ...limitsOf(answer, 'requests')])).toEqual([
      [200, '3', '2', seconds],
      [200, '3', '1', seconds],
    ]);
    expect(requestLines(gateway).map(({ key }) => key)).toEqual(['shop', 'shop']);
    expect(gateway.logText()).not.toMatch(/old-key|new-key/);
  });

  test('a key that expires is refused on a connection that is kept alive', async () => {
    const { gateway } = await start({ callers: caller('shop') });
    const expiresAt = Date.now() + 60_000;
    const [consumer] = callersIn(caller('shop'), { models: [], aliases: new Map() });
    const keys = (consumer?.keys ?? []).map((key) => ({ ...key, expiresAt }));
    const replace = (at: number) =>
      gateway.app.keyStore.replace(
        consumer ? [{ ...consumer, keys: keys.map((key) => ({ ...key, expiresAt: at })) }] : [],
      );
    replace(expiresAt);
    const agent = new Agent({ connections: 1 });
    onTestFinished(() => agent.destroy());
    let connections = 0;
    gateway.app.server.server.on('connection', () => {
      connections += 1;
    });
    const models = async () => {
      const { statusCode, body } = await agent.request({
        origin: gateway.url,
        path: '/v1/models',
        method: 'GET',
        headers: bearer('shop'),
      });
      return [statusCode, ((await body.json()) as { error?: { message: string } }).error?.message];
    };
    expect(await models()).toEqual([200, undefined]);
    replace(Date.now());
    expect(await models()).toEqual([401, 'The API key has expired.']);
    expect(connections).toBe(1);
  });

  test('one that is taken away is refused at once, and what it has started goes on', async () => {
    const { gateway, held, ask } = await start({ callers: { ...caller('shop'), ...caller('mill') }, isHeld: true });
    const running = ask('shop');
    await expect.poll(() => held.length, patience).toBe(1);
    gateway.app.keyStore.replace(callersIn(caller('mill'), { models: [], aliases: new Map() }));
    expect((await ask('shop')).status).toBe(401);
    held[0]?.();
    expect((await running).status).toBe(200);
  });

  test.each([
    ['longer than headers may be', 'x'.repeat(20_000), 431],
    ['long', 'x'.repeat(12_000), 401],
    ['__proto__', '__proto__', 401],
    ['the hash of a key', hash('sha256', 'shop', 'hex'), 401],
    ['the name of a key of the environment', `GATEWAY_API_KEYS#${hash('sha256', gatewayKey, 'hex').slice(0, 8)}`, 401],
    ['bytes above ASCII', '\u00e9\u00ff', 401],
    ['a tab between', 'sh\top', 401],
    ['several in one header', 'shop, shop', 401],
  ])('a hostile one is refused, and is not logged: %s', async (_, key, status) => {
    const { gateway } = await start({ callers: caller('shop') });
    const head = ['GET /v1/models HTTP/1.1', 'host: gateway', `api-key: ${key}`, 'connection: close'];
    const text = await exchange(gateway.url, Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1').toString('latin1'));
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(gateway.logText()).not.toContain(key);
    for (const { key: name } of requestLines(gateway)) expect(name).toBeUndefined();
  });
});

describe('the models that a key may use', () => {
  const callers = { ...caller('shop', { models: ['gpt-image-1', 'dall-e-3'] }), ...caller('all') };

  test('keep it from the metrics, which name all models', async () => {
    const { gateway } = await start({ callers });
    const ask = asker(gateway.url);
    for (const method of ['GET', 'HEAD']) {
      const statuses = ['shop', 'all'].map(async (key) => {
        const { status } = await ask({ method, path: '/metrics', headers: bearer(key) });
        return status;
      });
      expect(await Promise.all(statuses)).toEqual([403, 200]);
    }
    const { text } = await ask({ path: '/metrics', headers: bearer('shop') });
    expect(JSON.parse(text).error).toMatchObject({ type: 'invalid_request_error', code: 'unsupported_operation' });
    expect(text).not.toContain('dall-e-2');
  });

  test('are the only ones that it is shown', async () => {
    const { gateway } = await start({ callers });
    const ask = asker(gateway.url);
    const list = async (key: string) => {
      const { text } = await ask({ path: '/v1/models', headers: bearer(key) });
      return (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    expect(await list('shop')).toEqual(['image', 'dall-e-3', 'gpt-image-1']);
    expect(await list('all')).toEqual(['image', 'studio/poster', 'dall-e-3', 'dall-e-2', 'gpt-image-1']);
    for (const [id, status] of Object.entries({
      image: 200,
      'gpt-image-1': 200,
      'studio/poster': 404,
      nobody: 404,
    })) {
      expect((await ask({ path: `/v1/models/${id}`, headers: bearer('shop') })).status).toBe(status);
    }
  });

  test('are the only ones that it is served: another one does not exist, wherever it is named', async () => {
    const { gateway, upstream } = await start({ callers });
    const ask = asker(gateway.url);
    const png = await pngOf();
    const image = { name: 'image', bytes: png, filename: 'a.png', type: 'image/png' };
    const json = (path: string, values: object, headers = {}) => ({
      path,
      headers: { ...bearer('shop'), 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ prompt: 'a cat', ...values }),
    });
    const form = (path: string, values: Record<string, string>) => ({
      path,
      headers: { ...bearer('shop'), ...formHeaders },
      body: writeForm([...fields({ prompt: 'a cat', ...values }), image]),
    });
    const dataUrl = `data:image/png;base64,${png.toString('base64')}`;
    const calls = (model: string) => [
      json('/v1/images/generations', { model }),
      json('/v1/images/generations', { model, stream: true }),
      json(`/openai/deployments/${model}/images/generations`, {}),
      json(`/m/${model}/v1/images/generations`, {}),
      json('/v1/images/generations', {}, { 'x-target': model }),
      form(editsPath, { model }),
      form(`/openai/deployments/${model}/images/edits`, {}),
      json(editsPath, { model, images: [{ image_url: dataUrl }] }),
    ];
    for (const [index, call] of calls('dall-e-2').entries()) {
      const { status, text } = await ask({ method: 'POST', ...call });
      const unknown = await ask({ method: 'POST', ...(calls('dall-e-9')[index] as typeof call) });
      expect([status, text.replaceAll('dall-e-2', 'dall-e-9')]).toEqual([404, unknown.text]);
      const code = call.path.includes('/deployments/') ? 'DeploymentNotFound' : 'model_not_found';
      expect(JSON.parse(text)).toMatchObject({ error: { code, param: 'model' } });
    }
    expect(upstream.received).toBe(0);
    expect((await ask({ method: 'POST', ...json('/v1/images/generations', { model: 'gpt-image-1' }) })).status).toBe(
      200,
    );
  });

  test('are its only default: without that, it has to name one', async () => {
    const { ask } = await start({ callers: { ...caller('shop', { models: ['dall-e-3'] }), ...caller('all') } });
    const answer = await ask('shop');
    expect([answer.status, answer.json().error.code]).toEqual([400, 'missing_required_parameter']);
    expect(answer.text).not.toContain('image');
    expect((await ask('all')).status).toBe(200);
  });
});

describe('a limit of requests', () => {
  test('is told on each answer, and refuses before the body is read', async () => {
    const { gateway, upstream, ask } = await start({ callers: caller('shop', { limits: { requests: 3 } }) });
    expect(limitsOf(await ask('shop'), 'requests')).toEqual(['3', '2', seconds]);
    const refused = await ask('shop', { n: 0 });
    expect([refused.status, ...limitsOf(refused, 'requests')]).toEqual([400, '3', '1', seconds]);
    expect(limitsOf(await ask('shop', { stream: true }), 'requests')).toEqual(['3', '0', seconds]);
    const limited = await ask('shop');
    expectLimited(limited);
    expect(limited.headers.get('x-should-retry')).toBeNull();
    expect(limitsOf(limited, 'requests')).toEqual(['3', '0', seconds]);
    expect(limitsOf(limited, 'images')).toEqual([null, null, null]);
    expect(upstream.received).toBe(2);
    // Nothing of this upload is ever sent, and yet it is answered.
    const head = [`POST ${editsPath} HTTP/1.1`, 'host: gateway', 'authorization: Bearer shop'];
    const socket = openSocket(gateway.url);
    socket.write(
      `${[...head, ...['content-type: multipart/form-data; boundary=x', 'content-length: 1000000']].join('\r\n')}\r\n\r\n`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 429 /);
    const line = requestLines(gateway).at(-2);
    expect(line).toMatchObject({ key: 'shop', status: 429, error: { kind: 'rate_limited' } });
  });

  test('comes back when its window is over', async () => {
    const { ask } = await start({ callers: caller('shop', { limits: { requests: 1, windowMs: 1_000 } }) });
    expect((await ask('shop')).status).toBe(200);
    expectLimited(await ask('shop'));
    await expect.poll(async () => (await ask('shop')).status, patience).toBe(200);
  });

  test('of another key, and looking at models, cost nothing', async () => {
    const limits = { requests: 1 };
    const { gateway, ask } = await start({
      callers: { ...caller('shop', { limits }), ...caller('mill', { limits }) },
    });
    for (let count = 0; count < 3; count += 1) {
      const { status, headers } = await asker(gateway.url)({ path: '/v1/models', headers: bearer('shop') });
      expect([status, headers['x-ratelimit-limit-requests']]).toEqual([200, undefined]);
    }
    expect([(await ask('shop')).status, (await ask('mill')).status, (await ask('shop')).status]).toEqual([
      200, 200, 429,
    ]);
  });

  test('with a wait that SDKs would not keep tells them not to repeat', async () => {
    const { ask } = await start({ callers: caller('shop', { limits: { requests: 1, windowMs: 3_600_000 } }) });
    await ask('shop');
    const limited = await ask('shop');
    expectLimited(limited);
    expect(limited.headers.get('x-should-retry')).toBe('false');
  });

  test('holds for 100 requests at once: no more are sent than it allows', async () => {
    const { upstream, ask } = await start({ callers: caller('shop', { limits: { requests: 10 } }) });
    const statuses = (await Promise.all(Array.from({ length: 100 }, () => ask('shop')))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(90);
    expect(upstream.received).toBe(10);
  });
});

describe('a limit of images', () => {
  test('counts those that are asked for, and refuses all of a request or nothing', async () => {
    const { upstream, ask } = await start({ callers: caller('shop', { limits: { images: 3 } }) });
    const refused = await ask('shop', { n: 11 });
    expect([refused.status, ...limitsOf(refused, 'images')]).toEqual([400, '3', '3', '0s']);
    expect(limitsOf(await ask('shop', { size: '1x1' }), 'images')).toEqual(['3', '3', '0s']);
    expect(limitsOf(await ask('shop', { n: 1 }), 'images')).toEqual(['3', '2', seconds]);
    const limited = await ask('shop', { n: 3 });
    expectLimited(limited);
    expect(limitsOf(limited, 'images')).toEqual(['3', '2', seconds]);
    expect(limited.headers.get('x-gateway-attempts')).toBe('0');
    expect(limitsOf(await ask('shop', { n: 2 }), 'images')).toEqual(['3', '0', seconds]);
    expectLimited(await ask('shop', { stream: true }));
    expect(upstream.received).toBe(2);
  });

  test('counts those of edits, forms and JSON alike', async () => {
    const { gateway, ask } = await start({ callers: caller('shop', { limits: { images: 3 } }) });
    const png = await pngOf();
    const image = { name: 'image', bytes: png, filename: 'a.png', type: 'image/png' };
    const form = { headers: formHeaders, body: writeForm([...fields({ prompt: 'a cat', n: '2' }), image]) };
    const images = [{ image_url: `data:image/png;base64,${png.toString('base64')}` }];
    const json = {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'a cat', n: 2, images }),
    };
    const edit = ({ headers, body }: { headers: Record<string, string>; body: string | Buffer }) =>
      asker(gateway.url)({ method: 'POST', path: editsPath, headers: { ...bearer('shop'), ...headers }, body });
    const answers = [await edit(form), await edit(json)];
    expect(answers.map(({ status, headers }) => [status, headers['x-ratelimit-remaining-images']])).toEqual([
      [expect.any(Number), '1'],
      [429, '1'],
    ]);
    expect(limitsOf(await ask('shop'), 'images')).toEqual(['3', '0', seconds]);
  });

  test('is no 429 for more than it can ever have', async () => {
    const { ask } = await start({ callers: caller('shop', { limits: { images: 3 } }) });
    const answer = await ask('shop', { n: 4 });
    expect([answer.status, answer.json().error.code, answer.json().error.param]).toEqual([400, 'invalid_value', 'n']);
    expect(answer.json().error.message).toContain('cannot be more than 3');
    expect(answer.headers.get('retry-after')).toBeNull();
  });

  test('holds for 100 requests at once: no more are paid for than it allows', async () => {
    const { upstream, ask } = await start({ callers: caller('shop', { limits: { images: 10 } }) });
    const statuses = (await Promise.all(Array.from({ length: 100 }, () => ask('shop')))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(upstream.received).toBe(10);
  });

  test('gives back what was not sent', async () => {
    const { gateway, held, ask } = await start({
      callers: caller('shop', { limits: { images: 5 } }),
      isHeld: true,
      limits: { inFlight: 1, queueMs: 100 },
    });
    const running = ask('shop', { n: 1 });
    await expect.poll(() => held.length, patience).toBe(1);
    const shed = await ask('shop', { n: 2 });
    expect([shed.status, ...limitsOf(shed, 'images')]).toEqual([503, '5', '4', seconds]);
    // A caller that leaves while it waits for its turn.
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ prompt: 'a dog', n: 3 }, ['authorization: Bearer shop']));
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(2);
    socket.destroy();
    await expect.poll(async () => (await accountOf(gateway, 'shop')?.usage('images'))?.remaining, patience).toBe(4);
    held[0]?.();
    expect((await running).status).toBe(200);
    expect((await accountOf(gateway, 'shop')?.usage('images'))?.remaining).toBe(4);
  });

  test('is not paid twice by a retry that takes over what it has left, even where nothing is left', async () => {
    const { gateway, upstream, held, ask } = await start({
      callers: { shop: { keys: [{ key: 'old-key' }, { key: 'new-key' }], limits: { images: 1 } } },
      isHeld: true,
      lingerMs: 10_000,
    });
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ prompt: 'a cat' }, ['authorization: Bearer old-key']));
    await expect.poll(() => held.length, patience).toBe(1);
    socket.destroy();
    await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(1);
    const again = ask('new-key', { prompt: 'a cat' });
    await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(0);
    held[0]?.();
    const answer = await again;
    expect([answer.status, ...limitsOf(answer, 'images')]).toEqual([200, '1', '0', seconds]);
    expect(upstream.received).toBe(1);
    expectLimited(await ask('new-key', { prompt: 'a cat' }));
  });
});

describe('a limit of requests at once', () => {
  test('refuses one more, before its body is read, and lets it in when one has ended', async () => {
    const limits = { concurrent: 2, requests: 9, images: 9 };
    const { gateway, held, ask } = await start({ callers: caller('shop', { limits }), isHeld: true });
    const running = [ask('shop'), ask('shop', { stream: true })];
    await expect.poll(() => held.length, patience).toBe(2);
    const limited = await ask('shop');
    expectLimited(limited);
    expect(limitsOf(limited, 'requests')).toEqual(['9', '7', seconds]);
    expect(limitsOf(limited, 'images')).toEqual(['9', '7', seconds]);
    expect(limited.headers.get('x-should-retry')).toBeNull();
    held[0]?.();
    await running[0];
    await expect.poll(() => accountOf(gateway, 'shop')?.running, patience).toBe(1);
    const next = ask('shop');
    await expect.poll(() => held.length, patience).toBe(3);
    for (const answer of held) answer();
    expect((await Promise.all([...running, next])).map(({ status }) => status)).toEqual([200, 200, 200]);
    await expect.poll(() => accountOf(gateway, 'shop')?.running, patience).toBe(0);
  });

  test('holds for pipelined requests, and is free again when their connection breaks', async () => {
    const { gateway, held, ask } = await start({
      callers: caller('shop', { limits: { concurrent: 2 } }),
      isHeld: true,
    });
    const call = (prompt: string) => rawCall({ prompt }, ['authorization: Bearer shop']);
    const socket = openSocket(gateway.url);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.write(call('one') + call('two') + call('three'));
    await expect.poll(() => held.length, patience).toBe(2);
    for (const answer of held) answer();
    await expect
      .poll(() => text.match(/^HTTP\/1.1 \d+/gm), patience)
      .toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 429']);
    await expect.poll(() => accountOf(gateway, 'shop')?.running, patience).toBe(0);
    socket.write(call('four') + call('five') + call('six'));
    await expect.poll(() => held.length, patience).toBe(4);
    socket.destroy();
    await expect.poll(() => accountOf(gateway, 'shop')?.running, patience).toBe(0);
    const next = ask('shop');
    await expect.poll(() => held.length, patience).toBe(5);
    held[4]?.();
    expect((await next).status).toBe(200);
  });
});

describe('a connection that breaks in the moment in which its request arrives', () => {
  test.each([
    ['by bytes that are no request', '\r\nno request\r\n\r\n'],
    ['by half a request', 'POST /v1/im'],
    ['by nothing more', ''],
  ])('holds none of the requests at once: %s', async (_, rest) => {
    const { gateway } = await start({ callers: caller('shop', { limits: { concurrent: 1 } }) });
    for (let count = 0; count < 10; count += 1) {
      const socket = openSocket(gateway.url);
      socket.write(rawCall({ prompt: 'a cat' }, ['authorization: Bearer shop']) + rest);
      if (rest === '') socket.destroy();
      else socket.end();
      await once(socket.resume(), 'close');
    }
    await expect.poll(() => accountOf(gateway, 'shop')?.running, patience).toBe(0);
    await expect.poll(() => gateway.app.gateway.admission.heldBytes, patience).toBe(0);
  });
});

describe('OpenAI’s SDK', () => {
  test('throws a RateLimitError with the headers, and keeps the wait that it is told', async () => {
    const { gateway, upstream } = await start({
      callers: caller('shop', { limits: { requests: 1, images: 5, windowMs: 2_000 } }),
    });
    const client = new OpenAI({ apiKey: 'shop', baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    await client.images.generate({ model: 'image', prompt: 'a cat' });
    const error: unknown = await client.images.generate({ model: 'image', prompt: 'a dog' }).catch((one) => one);
    expect(error).toBeInstanceOf(RateLimitError);
    const { code, type, headers } = error as RateLimitError;
    expect([code, type]).toEqual(['rate_limit_exceeded', 'requests']);
    expect(headers?.get('x-ratelimit-limit-requests')).toBe('1');
    expect(headers?.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(headers?.get('x-ratelimit-remaining-images')).toBe('4');
    expect(Number(headers?.get('retry-after'))).toBeGreaterThanOrEqual(1);
    const patient = new OpenAI({ apiKey: 'shop', baseURL: `${gateway.url}/v1`, maxRetries: 3 });
    expect((await patient.images.generate({ model: 'image', prompt: 'a bird' })).data).toHaveLength(1);
    expect(upstream.received).toBe(2);
  });

  test('throws a NotFoundError for a model that the key may not use', async () => {
    const { gateway } = await start({ callers: caller('shop', { models: ['image'] }) });
    const client = new OpenAI({ apiKey: 'shop', baseURL: `${gateway.url}/v1` });
    await expect(client.models.retrieve('dall-e-3')).rejects.toThrow(NotFoundError);
    await expect(client.images.generate({ model: 'dall-e-3', prompt: 'a cat' })).rejects.toThrow(NotFoundError);
  });
});
