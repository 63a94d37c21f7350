import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { modelsFile, openSocket, rawCall, startUpstream, tinyPng } from './rig.ts';

const patience = { timeout: 60_000 };
const image = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** A gateway with these limits in front of an upstream that holds every call until the test answers it. */
async function startHeld(limits: Record<string, number>, modelKeys: Record<string, unknown> = {}) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_request, response) => {
    response.on('error', () => {});
    held.push(response);
  });
  const models = modelsFile(upstream.origin, 30_000, { maxRetries: 2, ...modelKeys });
  const gateway = await startGateway({ ...models, limits: { lingerMs: 0, ...limits } });
  let asked = 0;
  const ask = (headers: Record<string, string> = {}) => {
    asked += 1;
    return callGateway(gateway.url, { prompt: `a cat ${asked}` }, { headers });
  };
  return { held, upstream, gateway, ask };
}

async function expectAtRest({ app }: StartedGateway): Promise<void> {
  await expect.poll(() => app.gateway.inFlight, patience).toBe(0);
  await expect.poll(() => app.gateway.admission.heldBytes, patience).toBe(0);
  expect(app.gateway.admission.waiting).toBe(0);
}

function expectShed(answer: Awaited<ReturnType<typeof callGateway>>): void {
  expect([answer.status, answer.json().error.code]).toEqual([503, 'overloaded']);
  expect(answer.headers.get('x-should-retry')).toBe(null);
  expect(Number(answer.headers.get('retry-after-ms'))).toBeGreaterThan(0);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
}

describe('one request at a time', () => {
  test('lets two wait for their turn, and refuses a fourth one at once', async () => {
    const { held, upstream, gateway, ask } = await startHeld({ inFlight: 1 });
    const answers = [ask(), ask(), ask()];
    await expect.poll(() => gateway.app.gateway.admission.waiting, patience).toBe(2);
    const begin = performance.now();
    expectShed(await ask());
    expect(performance.now() - begin).toBeLessThan(1_000);
    for (const number of [1, 2, 3]) {
      await expect.poll(() => held.length, patience).toBe(number);
      held[number - 1]?.end(image);
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(upstream.received).toBe(3);
    await expectAtRest(gateway);
  });

  test('refuses what has waited for too long', async () => {
    const { held, upstream, gateway, ask } = await startHeld({ inFlight: 1, queueMs: 200 });
    const first = ask();
    await expect.poll(() => held.length, patience).toBe(1);
    expectShed(await ask());
    held[0]?.end(image);
    expect((await first).status).toBe(200);
    expect(upstream.received).toBe(1);
    await expectAtRest(gateway);
  });

  test('ends a wait with the request’s own deadline', async () => {
    const { held, upstream, gateway, ask } = await startHeld({ inFlight: 1 });
    const first = ask();
    await expect.poll(() => held.length, patience).toBe(1);
    const answer = await ask({ 'x-gateway-timeout-ms': '1000' });
    expect([answer.status, answer.json().error.code]).toEqual([504, 'deadline_exceeded']);
    expect(answer.headers.get('x-should-retry')).toBe(null);
    held[0]?.end(image);
    expect((await first).status).toBe(200);
    expect(upstream.received).toBe(1);
    await expectAtRest(gateway);
  });

  test('sends nothing for those who leave while they wait', async () => {
    const { held, upstream, gateway, ask } = await startHeld({ inFlight: 1 });
    const first = ask();
    await expect.poll(() => held.length, patience).toBe(1);
    const sockets = ['one', 'two'].map((prompt) => {
      const socket = openSocket(gateway.url);
      socket.write(rawCall({ prompt }));
      return socket;
    });
    await expect.poll(() => gateway.app.gateway.admission.waiting, patience).toBe(2);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => gateway.app.gateway.admission.waiting, patience).toBe(0);
    held[0]?.end(image);
    expect((await first).status).toBe(200);
    const next = ask();
    await expect.poll(() => held.length, patience).toBe(2);
    held[1]?.end(image);
    expect((await next).status).toBe(200);
    expect(upstream.received).toBe(2);
    await expectAtRest(gateway);
  });
});

test('what has no room in memory is refused before its body is read', async () => {
  const megabyte = 1024 * 1024;
  const { held, upstream, gateway, ask } = await startHeld({ heldBytes: 16 * megabyte });
  const answers = Array.from({ length: 15 }, () => ask());
  await expect.poll(() => held.length, patience).toBe(15);
  expect(gateway.app.gateway.admission.heldBytes).toBeLessThanOrEqual(16 * megabyte);
  expectShed(await ask());
  const socket = openSocket(gateway.url);
  const answered = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString('latin1'))));
  // Announces a body that never comes.
  socket.write(
    rawCall({ prompt: 'a cat' })
      .replace(/content-length: \d+/, 'content-length: 1000000')
      .slice(0, -5),
  );
  expect(await answered).toMatch(/^HTTP\/1\.1 503 /);
  for (const response of held) response.end(image);
  expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
  expect(upstream.received).toBe(15);
  await expectAtRest(gateway);
});

describe('a target that takes one call at a time', () => {
  test('gets one at a time, and those that are too many are refused', async () => {
    const { held, upstream, gateway, ask } = await startHeld({}, { maxConcurrent: 1 });
    const answers = [ask(), ask(), ask()];
    await expect.poll(() => held.length, patience).toBe(1);
    await wait(50);
    expectShed(await ask());
    for (const number of [1, 2, 3]) {
      await expect.poll(() => held.length, patience).toBe(number);
      await wait(20);
      expect(upstream.received).toBe(number);
      held[number - 1]?.end(image);
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    await expectAtRest(gateway);
  });

  test('makes four images one by one for a model that makes one at a time', async () => {
    const { held, gateway } = await startHeld({ queueMs: 100 }, { maxConcurrent: 1 });
    const request = { model: 'dall-e-3', prompt: 'a cat', n: 4, response_format: 'b64_json' };
    const answer = callGateway(gateway.url, request);
    for (const number of [1, 2, 3, 4]) {
      await expect.poll(() => held.length, patience).toBe(number);
      // Longer than others may wait: what was paid for is not to be lost.
      await wait(150);
      held[number - 1]?.end(image);
    }
    expect((await answer).json().data).toHaveLength(4);
    await expectAtRest(gateway);
  });
});

test('three hundred requests at once, of which twenty are worked on, leave nothing behind', {
  timeout: 60_000,
}, async () => {
  let running = 0;
  let most = 0;
  const upstream = await startUpstream(async (_request, response) => {
    running += 1;
    most = Math.max(most, running);
    await wait(20);
    running -= 1;
    response.end(image);
  });
  const gateway = await startGateway({ ...modelsFile(upstream.origin), limits: { inFlight: 20 } });
  const round = async () => {
    const statuses = await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const answer = await callGateway(gateway.url, { prompt: `a cat ${index}` });
        if (answer.status !== 200) expectShed(answer);
        return answer.status;
      }),
    );
    return statuses.filter((status) => status === 200).length;
  };
  const before = upstream.received;
  const served = await round();
  expect(served).toBeGreaterThanOrEqual(60);
  expect(upstream.received - before).toBe(served);
  expect(most).toBeLessThanOrEqual(20);
  await expectAtRest(gateway);
  expect(await round()).toBeGreaterThanOrEqual(60);
  await expectAtRest(gateway);
  await expect.poll(() => upstream.connections, patience).toBe(0);
});
