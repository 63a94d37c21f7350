import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { callersIn, gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { exchange, openSocket, rawCall, startUpstream, tinyPng } from './rig.ts';
import { samplesLike } from './samples-of.ts';

const patience = { timeout: 60_000 };
const made = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });
const quick = { lingerMs: 10_000, backoffMs: 5, maxBackoffMs: 10, minLeftMs: 0, breakerOpenMs: 60_000 };

type Keys = Record<string, unknown>;

const targetAt = (origin: string, keys: Keys = {}) => ({
  ...{ provider: 'azure-v1', model: 'gpt-image-1.5', baseURL: origin, apiKey: 'key', ...keys },
});

const fileOf = (models: Keys, more: Keys = {}) => ({ defaultModel: 'image', models, ...more });

/** Puts another models file in force, as the process does. */
function replace({ app }: StartedGateway, models: object): void {
  app.prepare(parseModels(JSON.stringify(models), {}), undefined)();
}

/** An upstream that holds every call until the test responds to it, and a gateway before it. */
async function startHeld(keys: Keys = {}, more: Keys = {}) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_request, response) => {
    response.on('error', () => {});
    held.push(response);
  });
  const target = targetAt(upstream.origin, keys);
  const gateway = await startGateway(fileOf({ image: target }, more), { times: quick });
  const arrived = (count: number) => expect.poll(() => upstream.received, patience).toBe(count);
  return { held, upstream, target, gateway, arrived };
}

/** An upstream that responds as the test says, and a gateway before it. */
async function startResponding(respond: (response: ServerResponse, key: unknown) => void, keys: Keys = {}) {
  const upstream = await startUpstream((request, response) => respond(response, request.headers['api-key']));
  const target = targetAt(upstream.origin, { maxRetries: 0, ...keys });
  const gateway = await startGateway(fileOf({ image: target }), { times: quick });
  return { upstream, target, gateway };
}

const elsewhere = targetAt('http://127.0.0.1:9');

describe('another models file', () => {
  test('decides which models there are, what they are called, and which one is the default', async () => {
    const { held, target, gateway } = await startHeld();
    const names = async () => {
      const response = await fetch(`${gateway.url}/v1/models`, { headers: { 'api-key': gatewayKey } });
      return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    expect(await names()).toEqual(['image']);
    replace(gateway, { defaultModel: 'alias', aliases: { alias: 'poster' }, models: { poster: target } });
    expect(await names()).toEqual(['poster', 'alias']);
    expect((await callGateway(gateway.url, { model: 'image', prompt: 'a cat' })).status).toBe(404);
    const call = callGateway(gateway.url, { prompt: 'a cat' });
    await expect.poll(() => held.length, patience).toBe(1);
    held[0]?.end(made);
    expect((await call).headers.get('x-gateway-model')).toBe('poster');
  });

  test('changes nothing while it is only made ready', async () => {
    const { gateway } = await startHeld();
    const { gateway: before, models } = gateway.app;
    gateway.app.prepare(parseModels(JSON.stringify(fileOf({ image: elsewhere, poster: elsewhere })), {}), undefined);
    expect(gateway.app.gateway).toBe(before);
    expect(gateway.app.models).toBe(models);
    expect(() => gateway.app.prepare({ ...models, models: [{} as never] }, undefined)).toThrow();
    expect(gateway.app.gateway).toBe(before);
  });

  test('can be the first one that needs tokens', async () => {
    const { upstream, gateway } = await startResponding((response) => response.end(made));
    const { apiKey: _key, ...target } = targetAt(upstream.origin);
    const keyless = fileOf({ image: { ...target, auth: { entra: { scope: 'https://ai.azure.com/.default' } } } });
    const models = parseModels(JSON.stringify(keyless), {});
    expect(() => gateway.app.prepare(models, undefined)).toThrow('tokens');
    const token = { token: new Secret('token'), expiresAt: Date.now() + 60_000 };
    gateway.app.prepare(models, () => async () => token)();
    expect((await callGateway(gateway.url, { prompt: 'a cat' })).status).toBe(200);
  });
});

describe('costs and metrics', () => {
  const priced = (price: number, currency: string) => ({ currency, prices: { 'dall-e-3': { images: [{ price }] } } });

  test('follow the prices and the currency that are in force', async () => {
    const { held, upstream, target, gateway, arrived } = await startHeld({ model: 'dall-e-3' }, priced(1, 'USD'));
    const early = callGateway(gateway.url, { prompt: 'a cat' });
    await arrived(1);
    replace(gateway, fileOf({ image: target }, priced(2, 'EUR')));
    const late = callGateway(gateway.url, { prompt: 'a dog' });
    await arrived(2);
    for (const response of held) response.end(made);
    const costs = (await Promise.all([early, late])).map(({ headers }) =>
      ['usd', 'eur'].map((currency) => headers.get(`x-gateway-cost-${currency}`)),
    );
    expect(costs).toEqual([
      ['1', null],
      [null, '2'],
    ]);
    const total = {
      'model="image",target="1",currency="USD",estimated="false"': 1,
      'model="image",target="1",currency="EUR",estimated="false"': 2,
    };
    const expected = Object.fromEntries(Object.entries(total).map(([labels, cost]) => [`{${labels}}`, cost]));
    await expect.poll(() => samplesLike(gateway.url, 'gateway_cost_total'), patience).toEqual(expected);
    expect(upstream.received).toBe(2);
  });

  test('let web pages read the header of the currency in force', async () => {
    const file = fileOf({ image: elsewhere });
    const gateway = await startGateway({ ...file, currency: 'USD' }, { corsOrigins: ['https://app.example'] });
    const exposed = async () => {
      const headers = { origin: 'https://app.example', 'api-key': gatewayKey };
      const response = await fetch(`${gateway.url}/v1/models`, { headers });
      return response.headers.get('access-control-expose-headers');
    };
    expect(await exposed()).toContain('x-gateway-cost-usd');
    replace(gateway, { ...file, currency: 'EUR' });
    expect(await exposed()).toContain('x-gateway-cost-eur');
    expect(await exposed()).not.toContain('x-gateway-cost-usd');
  });

  test('tell of the targets that there are now', async () => {
    const gateway = await startGateway(fileOf({ image: elsewhere }));
    const targets = () => samplesLike(gateway.url, 'gateway_target_calls_in_flight');
    expect(await targets()).toEqual({ '{model="image",target="1"}': 0 });
    replace(gateway, fileOf({ poster: { ...elsewhere, name: 'east' } }, { defaultModel: 'poster' }));
    expect(await targets()).toEqual({ '{model="poster",target="east"}': 0 });
  });
});

describe('a request that has begun', () => {
  test.each([
    ['its model is gone', {}],
    ['its target is another one', { image: elsewhere }],
    ['everything about its model is other', { image: { ...elsewhere, timeoutMs: 1_000, parameters: 'strict' } }],
  ])('goes on when %s, and is paid once', async (_, models) => {
    const { held, gateway, arrived } = await startHeld();
    const call = callGateway(gateway.url, { prompt: 'a cat' });
    await arrived(1);
    replace(gateway, fileOf({ poster: elsewhere, ...models }, { defaultModel: 'poster' }));
    held[0]?.end(made);
    expect((await call).status).toBe(200);
    await arrived(1);
    expect(gateway.app.gateway.inFlight).toBe(0);
  });

  test('is repeated where it began, when its call failed', async () => {
    const { held, gateway, arrived } = await startHeld();
    const call = callGateway(gateway.url, { prompt: 'a cat' });
    await arrived(1);
    replace(gateway, fileOf({ poster: elsewhere }, { defaultModel: 'poster' }));
    held[0]?.writeHead(500, { 'content-type': 'application/json' }).end('{"error":{"code":"InternalServerError"}}');
    await arrived(2);
    held[1]?.end(made);
    expect((await call).status).toBe(200);
  });

  test('with an upload ends as it began, whatever has become of its model, its caller and the limits', async () => {
    const { held, gateway, arrived } = await startHeld();
    const callerOf = (model: string) =>
      callersIn({ shop: { keys: [{ key: gatewayKey }], models: [model] } }, gateway.app.models);
    gateway.app.keyStore.replace(callerOf('image'));
    const body = Buffer.concat([
      Buffer.from('--b\r\ncontent-disposition: form-data; name="prompt"\r\n\r\na cat\r\n'),
      Buffer.from('--b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'),
      Buffer.from(tinyPng, 'base64'),
      Buffer.alloc(1_200_000),
      Buffer.from('\r\n--b--\r\n'),
    ]);
    const socket = openSocket(gateway.url);
    socket.on('end', () => socket.end());
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.write(
      `POST /m/image/v1/images/edits HTTP/1.1\r\nhost: x\r\napi-key: ${gatewayKey}\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.subarray(0, 1_100_000));
    await expect.poll(() => gateway.app.gateway.admission.heldBytes, patience).toBeGreaterThan(0);
    replace(gateway, fileOf({ poster: elsewhere }, { defaultModel: 'poster', limits: { uploadBytes: 1_000_000 } }));
    gateway.app.keyStore.replace(callerOf('poster'));
    socket.write(body.subarray(1_100_000));
    await arrived(1);
    held[0]?.end(made);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('and whose client disconnected can be rejoined, also when its model has changed, and is paid once', async () => {
    const { held, target, gateway, arrived } = await startHeld();
    for (const [index, next] of [target, { ...elsewhere, timeoutMs: 5_000 }].entries()) {
      const prompt = `a cat ${index}`;
      const socket = openSocket(gateway.url);
      socket.write(rawCall({ prompt }));
      await arrived(index + 1);
      socket.destroy();
      await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(1);
      replace(gateway, fileOf({ image: next }));
      expect(gateway.app.gateway.orphans).toBe(1);
      const again = callGateway(gateway.url, { prompt });
      await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(0);
      held[index]?.end(made);
      expect((await again).status).toBe(200);
      await arrived(index + 1);
      replace(gateway, fileOf({ image: target }));
    }
  });

  test('and whose outcome is unknown is reported to those who retry', async () => {
    const { held, target, gateway, arrived } = await startHeld();
    const call = callGateway(gateway.url, { prompt: 'a cat' });
    await arrived(1);
    replace(gateway, fileOf({ image: { ...target, timeoutMs: 5_000 } }));
    held[0]?.destroy();
    expect((await call).json().error.code).toBe('upstream_outcome_unknown');
    replace(gateway, fileOf({ image: target }));
    expect((await callGateway(gateway.url, { prompt: 'a cat' })).json().error.code).toBe('upstream_outcome_unknown');
    await arrived(1);
  });

  test('ends with all others when the process does', async () => {
    const { gateway, target, arrived } = await startHeld();
    const { gateway: first } = gateway.app;
    const calls = [callGateway(gateway.url, { prompt: 'one' })];
    await arrived(1);
    replace(gateway, fileOf({ image: { ...target, apiKey: 'other' } }));
    calls.push(callGateway(gateway.url, { prompt: 'two' }));
    await arrived(2);
    expect([first.inFlight, gateway.app.gateway.inFlight]).toEqual([2, 2]);
    first.cancelAll();
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([502, 502]);
    expect((await callGateway(gateway.url, { prompt: 'three' })).json().error.code).toBe('overloaded');
  });
});

describe('what is known about a target', () => {
  test('its breaker: an unchanged target stays alone, a changed one is tried at once', async () => {
    const good = await startUpstream((_request, response) => void response.end(made));
    const bad = await startUpstream((_request, response) => void response.writeHead(401).end('{}'));
    const east = targetAt(bad.origin);
    const file = (east: Keys, more: Keys = {}) =>
      fileOf({
        image: {
          targets: [
            { ...east, name: 'east' },
            { ...targetAt(good.origin), priority: 1 },
          ],
        },
        ...more,
      });
    const gateway = await startGateway(file(east), { times: quick });
    let count = 0;
    const send = async () => {
      count += 1;
      return (await callGateway(gateway.url, { prompt: `a cat ${count}` })).status;
    };
    expect([await send(), bad.received]).toEqual([200, 1]);
    expect([await send(), bad.received]).toEqual([200, 1]);
    replace(gateway, file({ ...east, weight: 3 }, { poster: elsewhere }));
    expect([await send(), bad.received]).toEqual([200, 1]);
    replace(gateway, file({ ...east, apiKey: 'right' }));
    expect([await send(), bad.received]).toEqual([200, 2]);
  });

  test('its wait: an unchanged target is not called before, a changed one is', async () => {
    const { upstream, target, gateway } = await startResponding((response, key) =>
      key === 'key' ? response.writeHead(429, { 'retry-after': '300' }).end('{}') : response.end(made),
    );
    const send = async (prompt: string) => (await callGateway(gateway.url, { prompt })).status;
    expect([await send('one'), upstream.received]).toEqual([429, 1]);
    replace(gateway, fileOf({ image: { ...target, name: 'east' }, poster: elsewhere }));
    expect([await send('two'), upstream.received]).toEqual([429, 1]);
    replace(gateway, fileOf({ image: { ...target, apiKey: 'other' } }));
    expect([await send('three'), upstream.received]).toEqual([200, 2]);
  });

  test.each<[string, Keys]>([
    ['is unchanged', {}],
    ['has another key', { apiKey: 'other' }],
    ['has another name', { name: 'east', priority: 2 }],
  ])('its calls under way: where it %s, they still count', async (_, change) => {
    const { held, target, gateway, arrived } = await startHeld({ maxConcurrent: 1 });
    const first = callGateway(gateway.url, { prompt: 'one' });
    await arrived(1);
    const second = callGateway(gateway.url, { prompt: 'two' });
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(2);
    replace(gateway, fileOf({ image: { ...target, ...change } }));
    const third = callGateway(gateway.url, { prompt: 'three' });
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(3);
    const permits = gateway.app.gateway.catalog.models[0]?.targets[0]?.health.permits;
    await expect.poll(() => [permits?.taken, permits?.waiting], patience).toEqual([1, 2]);
    for (const index of [0, 1, 2]) {
      await arrived(index + 1);
      held[index]?.end(made);
    }
    expect((await Promise.all([first, second, third])).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect([permits?.taken, permits?.waiting]).toEqual([0, 0]);
  });

  test('its limit: a higher one lets in who waits, a lower one waits for those who are in', async () => {
    const { held, target, gateway, arrived } = await startHeld({ maxConcurrent: 1 });
    const calls = ['one', 'two'].map((prompt) => callGateway(gateway.url, { prompt }));
    await arrived(1);
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(2);
    replace(gateway, fileOf({ image: { ...target, maxConcurrent: 2 } }));
    await arrived(2);
    replace(gateway, fileOf({ image: { ...target, maxConcurrent: 1 } }));
    calls.push(callGateway(gateway.url, { prompt: 'three' }));
    const permits = gateway.app.gateway.catalog.models[0]?.targets[0]?.health.permits;
    await expect.poll(() => [permits?.taken, permits?.waiting], patience).toEqual([2, 1]);
    held[0]?.end(made);
    await expect.poll(() => [permits?.taken, permits?.waiting], patience).toEqual([1, 1]);
    held[1]?.end(made);
    await arrived(3);
    held[2]?.end(made);
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

describe('the limits of the process', () => {
  test('inFlight and queueMs hold at once, and count what runs', async () => {
    const upstream = await startUpstream(() => {});
    const target = targetAt(upstream.origin);
    const gateway = await startGateway(fileOf({ image: target }, { limits: { inFlight: 1 } }));
    const calls = ['one', 'two'].map((prompt) => callGateway(gateway.url, { prompt }));
    await expect.poll(() => gateway.app.gateway.admission.waiting, patience).toBe(1);
    replace(gateway, fileOf({ image: target }, { limits: { inFlight: 2, queueMs: 0 } }));
    await expect.poll(() => upstream.received, patience).toBe(2);
    expect((await callGateway(gateway.url, { prompt: 'three' })).json().error.code).toBe('overloaded');
    gateway.app.gateway.cancelAll();
    await Promise.all(calls);
  });

  test('lingerMs holds at once, for clients that disconnect from then on', async () => {
    const upstream = await startUpstream(() => {});
    const target = targetAt(upstream.origin);
    const gateway = await startGateway(fileOf({ image: target }, { limits: { lingerMs: 300_000 } }));
    const openCall = async (prompt: string, count: number) => {
      const socket = openSocket(gateway.url);
      socket.write(rawCall({ prompt }));
      await expect.poll(() => upstream.received, patience).toBe(count);
      return () => socket.destroy();
    };
    (await openCall('one', 1))();
    await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(1);
    const disconnectTwo = await openCall('two', 2);
    replace(gateway, fileOf({ image: target }, { limits: { lingerMs: 0 } }));
    disconnectTwo();
    await expect.poll(() => upstream.connections, patience).toBe(1);
    expect([gateway.app.gateway.orphans, gateway.app.gateway.inFlight]).toEqual([1, 1]);
    gateway.app.gateway.cancelAll();
  });

  test('uploadBytes and imageUrls hold at once, and the time for an upload is never less than before', async () => {
    const { target, gateway } = await startHeld({}, { limits: { uploadBytes: 1_000_000 } });
    const edit = (length: number) =>
      exchange(
        gateway.url,
        `POST /v1/images/edits HTTP/1.1\r\nhost: x\r\napi-key: ${gatewayKey}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${length}\r\n\r\n`,
      );
    const { server } = gateway.app.server;
    expect([(await edit(1_000_001)).slice(9, 12), server.requestTimeout]).toEqual(['413', 300_000]);
    replace(gateway, fileOf({ image: target }, { limits: { uploadBytes: 1_000_000_000 } }));
    expect([(await edit(1_000_001)).slice(9, 12), server.requestTimeout]).toEqual(['415', 1_090_000]);
    replace(gateway, fileOf({ image: target }, { limits: { uploadBytes: 1_000_000 } }));
    expect([(await edit(1_000_001)).slice(9, 12), server.requestTimeout]).toEqual(['413', 1_090_000]);
    const link = { images: [{ image_url: 'https://127.0.0.1/a.png' }], prompt: 'a cat' };
    const refusal = async () =>
      (await callGateway(gateway.url, link, { path: '/v1/images/edits' })).json().error.message;
    const before = await refusal();
    replace(gateway, fileOf({ image: target }, { imageUrls: 'download' }));
    expect(await refusal()).not.toBe(before);
  });

  test('drainMs is that of the file in force, or follows from its models', async () => {
    const { target, gateway } = await startHeld();
    expect(gateway.app.models.drainMs).toBe(600_000);
    replace(gateway, fileOf({ image: { ...target, timeoutMs: 900_000 } }));
    expect(gateway.app.models.drainMs).toBe(910_000);
  });
});

test('100 reloads under load: no error, and of old configurations nothing is left', async () => {
  const { upstream, target, gateway } = await startResponding((response) => {
    setTimeout(() => response.end(made), 20);
  });
  let isOver = false;
  const statuses = new Set<number>();
  let succeeded = 0;
  const callers = Array.from({ length: 10 }, async (_, caller) => {
    for (let call = 0; !isOver; call += 1) {
      statuses.add((await callGateway(gateway.url, { prompt: `${caller} ${call}` })).status);
      succeeded += 1;
    }
  });
  const old: WeakRef<object>[] = [];
  for (let reload = 0; reload < 100; reload += 1) {
    const { gateway: now } = gateway.app;
    // The last one may be known to connections that are kept alive.
    const parts = reload < 99 ? [now, now.catalog, ...now.catalog.models.flatMap(({ targets }) => targets)] : [];
    old.push(...parts.map((part) => new WeakRef(part)));
    const before = succeeded;
    replace(gateway, fileOf({ image: { ...target, apiKey: `key-${reload}` }, [`model-${reload}`]: elsewhere }));
    await expect.poll(() => succeeded, { ...patience, interval: 2 }).toBeGreaterThan(before);
  }
  isOver = true;
  await Promise.all(callers);
  expect([...statuses]).toEqual([200]);
  expect(upstream.received).toBe(succeeded);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const isLeft = () => {
    collect();
    return old.filter((one) => one.deref() !== undefined).length;
  };
  await expect.poll(isLeft, patience).toBe(0);
  const [health] = gateway.app.gateway.catalog.models.flatMap(({ targets }) => targets.map((one) => one.health));
  expect([health?.permits.taken, health?.permits.waiting]).toEqual([0, 0]);
});
