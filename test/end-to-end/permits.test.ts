import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { modelsFile, openSocket, rawCall, startUpstream, tinyPng } from './rig.ts';

// What a request holds belongs to its generation until that is settled, whoever is connected.

const patience = { timeout: 60_000 };
const bearer = 'authorization: Bearer shop';
const oneImage = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

type Setup = { readonly keyLimits?: object; readonly limits?: object; readonly lingerMs?: number };

/** A gateway with one caller, in front of an upstream that holds every call until the test answers it. */
async function start({ keyLimits = {}, limits = {}, lingerMs = 60_000 }: Setup = {}) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_request, response) => {
    response.on('error', () => {});
    held.push(response);
  });
  const models = { ...modelsFile(upstream.origin, 30_000), limits };
  const callers = { shop: { keys: [{ key: 'shop' }], limits: keyLimits } };
  const gateway = await startGateway(models, { keys: [], callers, times: { lingerMs } });
  const ask = (prompt: string, more: object = {}) =>
    callGateway(gateway.url, { prompt, ...more }, { headers: { authorization: 'Bearer shop' } });
  return { held, upstream, gateway, ask, models };
}

type Rig = Awaited<ReturnType<typeof start>>;

const accountOf = ({ app }: StartedGateway) => app.keyStore.find('shop')?.consumer;

/** Permits at once of the key, and bytes of the process, that are held. */
const holdings = ({ app }: StartedGateway) => [
  app.keyStore.find('shop')?.consumer.running,
  app.gateway.admission.heldBytes > 0,
];

/** Asks, and leaves when the upstream has got the call. */
async function askAndLeave({ upstream, gateway }: Rig, prompt: string): Promise<void> {
  const before = upstream.received;
  const socket = openSocket(gateway.url);
  socket.write(rawCall({ prompt }, [bearer]));
  await expect.poll(() => upstream.received, patience).toBe(before + 1);
  socket.destroy();
  await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(1);
}

async function expectAtRest({ app }: StartedGateway): Promise<void> {
  await expect.poll(() => app.gateway.inFlight, patience).toBe(0);
  expect([app.keyStore.find('shop')?.consumer.running, app.gateway.admission.heldBytes]).toEqual([0, 0]);
}

describe('a caller that may have one request at once', () => {
  test('and hangs up twelve times has one call made', async () => {
    const rig = await start({ keyLimits: { concurrent: 1 } });
    await askAndLeave(rig, 'a cat 0');
    for (let at = 1; at < 12; at += 1) {
      const socket = openSocket(rig.gateway.url);
      socket.write(rawCall({ prompt: `a cat ${at}` }, [bearer]));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 429 /);
      socket.destroy();
    }
    expect(rig.upstream.received).toBe(1);
    expect(holdings(rig.gateway)).toEqual([1, true]);
  });

  test('gets what it has left when it asks for the same again, and then may ask for something else', async () => {
    const rig = await start({ keyLimits: { concurrent: 1 } });
    await askAndLeave(rig, 'a cat');
    const again = rig.ask('a cat');
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    expect((await rig.ask('a dog')).json().error.code).toBe('rate_limit_exceeded');
    rig.held[0]?.end(oneImage);
    expect((await again).status).toBe(200);
    await expectAtRest(rig.gateway);
    const next = rig.ask('a dog');
    await expect.poll(() => rig.held.length, patience).toBe(2);
    rig.held[1]?.end(oneImage);
    expect((await next).status).toBe(200);
    expect(rig.upstream.received).toBe(2);
    await expectAtRest(rig.gateway);
  });

  test('and leaves it a second time still holds it once', async () => {
    const rig = await start({ keyLimits: { concurrent: 1 } });
    await askAndLeave(rig, 'a cat');
    const socket = openSocket(rig.gateway.url);
    socket.write(rawCall({ prompt: 'a cat' }, [bearer]));
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    socket.destroy();
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(1);
    expect(holdings(rig.gateway)).toEqual([1, true]);
    expect((await rig.ask('a dog')).status).toBe(429);
    rig.gateway.app.gateway.cancelAll();
    await expectAtRest(rig.gateway);
  });

  test('is refused before its body is read, while it waits for its own', async () => {
    const rig = await start({ keyLimits: { concurrent: 1 } });
    const first = rig.ask('a cat');
    await expect.poll(() => rig.held.length, patience).toBe(1);
    const socket = openSocket(rig.gateway.url);
    socket.write(rawCall({ prompt: 'a dog' }, [bearer]).slice(0, -5));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 429 /);
    rig.held[0]?.end(oneImage);
    expect((await first).status).toBe(200);
  });
});

describe('a process with room for one request', () => {
  const limits = { inFlight: 1, heldBytes: 16 * 1024 * 1024 };

  test('lets its caller come back to it, and nobody else in', async () => {
    const rig = await start({ limits });
    await askAndLeave(rig, 'a cat');
    const waiting = [rig.ask('a dog'), rig.ask('a bird')];
    await expect.poll(() => rig.gateway.app.gateway.admission.waiting, patience).toBe(2);
    expect((await rig.ask('a fish')).json().error.code).toBe('overloaded');
    const again = rig.ask('a cat');
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    for (const number of [1, 2, 3]) {
      await expect.poll(() => rig.held.length, patience).toBe(number);
      rig.held[number - 1]?.end(oneImage);
    }
    expect((await Promise.all([again, ...waiting])).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(rig.upstream.received).toBe(3);
    await expectAtRest(rig.gateway);
  });
});

describe('what a generation holds is free again', () => {
  const keyLimits = { concurrent: 2, images: 10 };

  test('after its answer, and its images count', async () => {
    const rig = await start({ keyLimits });
    const answer = rig.ask('a cat', { n: 2 });
    await expect.poll(() => rig.held.length, patience).toBe(1);
    expect(holdings(rig.gateway)).toEqual([1, true]);
    rig.held[0]?.end(oneImage);
    await answer;
    await expectAtRest(rig.gateway);
    expect(await accountOf(rig.gateway)?.usage('images')).toMatchObject({ remaining: 8 });
  });

  test('after a failure of its call, and its images count', async () => {
    const rig = await start({ keyLimits });
    const answer = rig.ask('a cat');
    await expect.poll(() => rig.held.length, patience).toBe(1);
    rig.held[0]?.socket?.destroy();
    expect((await answer).status).toBe(502);
    await expectAtRest(rig.gateway);
    expect(await accountOf(rig.gateway)?.usage('images')).toMatchObject({ remaining: 9 });
  });

  test('when nobody has come back in time, and its images count', async () => {
    const rig = await start({ keyLimits, lingerMs: 300 });
    await askAndLeave(rig, 'a cat');
    expect(holdings(rig.gateway)).toEqual([1, true]);
    await expectAtRest(rig.gateway);
    expect(await accountOf(rig.gateway)?.usage('images')).toMatchObject({ remaining: 9 });
  });

  test('when the process ends', async () => {
    const rig = await start({ keyLimits });
    await askAndLeave(rig, 'a cat');
    const answer = rig.ask('a dog');
    await expect.poll(() => rig.held.length, patience).toBe(2);
    expect(holdings(rig.gateway)).toEqual([2, true]);
    rig.gateway.app.gateway.cancelAll();
    await answer;
    await expectAtRest(rig.gateway);
  });

  test('when its request is refused before it starts, and its images do not count', async () => {
    const rig = await start({ keyLimits });
    for (const body of [{ size: 'no size' }, { model: 'nobody' }, { n: 11 }]) {
      expect((await rig.ask('a cat', body)).status).toBeGreaterThanOrEqual(400);
    }
    expect(rig.upstream.received).toBe(0);
    await expectAtRest(rig.gateway);
    expect(await accountOf(rig.gateway)?.usage('images')).toMatchObject({ remaining: 10 });
  });

  test('when its images are more than are left, or its caller leaves before the call, and they do not count', async () => {
    const rig = await start({ keyLimits, limits: { inFlight: 1 } });
    const running = rig.ask('a cat', { n: 4 });
    await expect.poll(() => rig.held.length, patience).toBe(1);
    const socket = openSocket(rig.gateway.url);
    socket.write(rawCall({ prompt: 'a dog', n: 6 }, [bearer]));
    await expect.poll(() => rig.gateway.app.gateway.admission.waiting, patience).toBe(1);
    expect(await accountOf(rig.gateway)?.usage('images')).toMatchObject({ remaining: 0 });
    socket.destroy();
    await expect.poll(() => holdings(rig.gateway), patience).toEqual([1, true]);
    await expect.poll(() => accountOf(rig.gateway)?.usage('images'), patience).toMatchObject({ remaining: 6 });
    expect((await rig.ask('a bird', { n: 7 })).json().error.code).toBe('rate_limit_exceeded');
    await expect.poll(() => holdings(rig.gateway), patience).toEqual([1, true]);
    rig.held[0]?.end(oneImage);
    await running;
    await expectAtRest(rig.gateway);
    expect(await accountOf(rig.gateway)?.usage('images')).toMatchObject({ remaining: 6 });
  });

  test('after another configuration has come into force', async () => {
    const rig = await start({ keyLimits });
    await askAndLeave(rig, 'a cat');
    const models = parseModels(JSON.stringify({ ...rig.models, limits: { inFlight: 5 } }), {});
    rig.gateway.app.prepare(models, undefined)();
    expect(holdings(rig.gateway)).toEqual([1, true]);
    const again = rig.ask('a cat');
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    rig.held[0]?.end(oneImage);
    expect((await again).status).toBe(200);
    expect(rig.upstream.received).toBe(1);
    await expectAtRest(rig.gateway);
  });
});
