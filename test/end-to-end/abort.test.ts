import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { modelsFile, openSocket, rawCall, requestLines, startRig, startUpstream, tinyPng } from './rig.ts';

const patience = { timeout: 60_000 };

/** The gateway has noticed, has let everything go, and has logged one request as left. */
async function expectLeft(gateway: StartedGateway, facts: Record<string, unknown>): Promise<void> {
  await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(0);
  await expect.poll(() => requestLines(gateway), patience).toHaveLength(1);
  expect(requestLines(gateway)[0]).toMatchObject({ end: 'disconnected', status: 499, level: 30, ...facts });
}

async function expectNextWorks({ url }: StartedGateway): Promise<void> {
  const answer = await callGateway(url, { prompt: 'a cat' });
  expect(answer.status).toBe(200);
  expect(answer.json().data).toHaveLength(1);
}

const farewells: [string, (socket: Socket) => void][] = [
  ['closes its connection', (socket) => void socket.destroy()],
  ['resets its connection', (socket) => void socket.resetAndDestroy()],
  ['half-closes its connection', (socket) => void socket.end()],
];

const oneImage = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** An upstream that plays `first` for its first call and gives an image for every other one. */
async function startAfterwardsGood(first: (response: ServerResponse) => void) {
  let calls = 0;
  return startUpstream((_request, response) => {
    calls += 1;
    if (calls === 1) first(response);
    else response.end(oneImage);
  });
}

describe('a caller that leaves', () => {
  test.each(farewells)(
    'while the upstream is silent: it %s, and the upstream connection is closed',
    async (_, leave) => {
      const upstream = await startAfterwardsGood(() => {});
      const gateway = await startGateway(modelsFile(upstream.origin));
      const socket = openSocket(gateway.url);
      socket.write(rawCall({ prompt: 'a cat' }));
      await expect.poll(() => upstream.received, patience).toBe(1);
      expect([gateway.app.gateway.inFlight, upstream.connections]).toEqual([1, 1]);
      leave(socket);
      await expectLeft(gateway, { sent: true, images: 0 });
      expect(requestLines(gateway)[0]).not.toHaveProperty('error');
      await expect.poll(() => upstream.connections, patience).toBe(0);
      await expectNextWorks(gateway);
      expect(upstream.received).toBe(2);
    },
  );

  test('while the simulator hangs: counted as abandoned, because it was sent', async () => {
    const rig = await startRig();
    const socket = openSocket(rig.url);
    socket.write(rawCall({ prompt: 'simulate:hang' }));
    await expect.poll(() => rig.simulator.ledger.counts().billed, patience).toBe(1);
    socket.destroy();
    await expectLeft(rig, { sent: true });
    const metrics = await (await fetch(`${rig.url}/metrics`, { headers: { 'api-key': 'gateway-key-canary' } })).text();
    expect(metrics).toContain(
      'gateway_upstream_attempts_total{provider="azure-deployment",outcome="abandoned",model="image",target="1"} 1',
    );
    expect(metrics).toContain(
      'gateway_requests_total{route="/v1/images/generations",status="499",end="disconnected"} 1',
    );
    await expectNextWorks(rig);
  });

  test.each(farewells)('in the middle of an image: it %s, and the upstream connection is closed', async (_, leave) => {
    let isOver = false;
    const upstream = await startAfterwardsGood((response) => {
      response.on('close', () => {
        isOver = true;
      });
      response.on('error', () => {});
      response.write(`{"created":1,"data":[{"b64_json":"${tinyPng.slice(0, 88)}`);
      void writeForEver(response);
    });
    const gateway = await startGateway(modelsFile(upstream.origin));
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ prompt: 'a cat' }));
    await once(socket, 'data');
    socket.resume();
    expect(gateway.app.gateway.inFlight).toBe(1);
    leave(socket);
    await expectLeft(gateway, { sent: true, images: 0 });
    await expect.poll(() => isOver, patience).toBe(true);
    await expect.poll(() => upstream.connections, patience).toBe(0);
    await expectNextWorks(gateway);
  });

  test.each(['slow-body-60000', 'big-48'])('while the simulator plays %s: nothing stays behind', async (scenario) => {
    const rig = await startRig();
    const socket = openSocket(rig.url);
    socket.write(rawCall({ prompt: `simulate:${scenario}` }));
    await once(socket, 'data');
    socket.destroy();
    await expectLeft(rig, { sent: true, images: 0 });
    await expectNextWorks(rig);
  });

  test('before its request is complete: nothing is sent to the upstream', async () => {
    const rig = await startRig();
    const socket = openSocket(rig.url);
    const begun = once(rig.app.server.server, 'request');
    socket.write(rawCall({ prompt: 'a cat' }).slice(0, -4));
    await begun;
    socket.destroy();
    await expect.poll(() => requestLines(rig), patience).toHaveLength(1);
    expect(requestLines(rig)[0]).toMatchObject({ end: 'disconnected', status: 499 });
    expect(rig.simulator.ledger.requests).toEqual([]);
    await expectNextWorks(rig);
  });

  test('together with its request, by half-closing: the upstream is not kept waiting', async () => {
    const upstream = await startAfterwardsGood(() => {});
    const gateway = await startGateway(modelsFile(upstream.origin));
    openSocket(gateway.url).end(rawCall({ prompt: 'a cat' }));
    await expectLeft(gateway, {});
    await expect.poll(() => upstream.connections, patience).toBe(0);
  });

  test('during polling: the polls stop', async () => {
    let polls = 0;
    const upstream = await startUpstream((request, response) => {
      const hurry = { 'retry-after-ms': '5', 'content-type': 'application/json' };
      if (request.method === 'POST') {
        const location = `http://${request.headers.host}/openai/operations/images/one?api-version=2023-06-01-preview`;
        response.writeHead(202, { ...hurry, 'operation-location': location }).end('{}');
        return;
      }
      polls += 1;
      response.writeHead(200, hurry).end('{"id":"one","status":"running"}');
    });
    const gateway = await startGateway(modelsFile(upstream.origin));
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ model: 'dall-e-2', prompt: 'a cat' }));
    await expect.poll(() => polls, patience).toBeGreaterThan(3);
    socket.destroy();
    await expectLeft(gateway, { sent: true, images: 0 });
    const pollsThen = polls;
    await wait(200);
    // One may have been on its way.
    expect(polls).toBeLessThanOrEqual(pollsThen + 1);
  });

  test('during the download of its image: the download is closed', async () => {
    const upstream = await startUpstream((request, response) => {
      const { host } = request.headers;
      response.on('error', () => {});
      if (request.method === 'POST') {
        const location = `http://${host}/openai/operations/images/one?api-version=2023-06-01-preview`;
        response.writeHead(202, { 'retry-after-ms': '5', 'operation-location': location }).end('{}');
      } else if (request.url?.startsWith('/openai/')) {
        const result = { created: 1, data: [{ url: `http://${host}/one.png` }] };
        const text = JSON.stringify({ status: 'succeeded', result });
        response.writeHead(200, { 'content-length': text.length, connection: 'close' }).end(text);
      } else {
        response.writeHead(200, { 'content-type': 'image/png' }).write(Buffer.from(tinyPng, 'base64'));
        void writeForEver(response);
      }
    });
    const gateway = await startGateway(modelsFile(upstream.origin));
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ model: 'dall-e-2', prompt: 'a cat', response_format: 'b64_json' }));
    await once(socket, 'data');
    socket.destroy();
    await expectLeft(gateway, { sent: true, images: 0 });
    await expect.poll(() => upstream.connections, patience).toBe(0);
  });
});

/** Writes base64 as fast as the other side takes it; tells after each piece that found room how much that was. */
async function writeForEver(response: ServerResponse, onWritten: (bytes: number) => void = () => {}): Promise<void> {
  const piece = Buffer.alloc(64 * 1024, 'A');
  const closed = new Promise((resolve) => response.once('close', resolve));
  while (!response.destroyed) {
    const hasRoom = response.write(piece);
    if (!hasRoom) await Promise.race([new Promise((resolve) => response.once('drain', resolve)), closed]);
    onWritten(piece.length);
  }
}

test('a reader that pauses: the upstream is held back after a few megabytes, and goes on with the reader', async () => {
  let written = 0;
  const upstream = await startUpstream((_request, response) => {
    response.on('error', () => {});
    response.write(`{"created":1,"data":[{"b64_json":"${tinyPng.slice(0, 88)}`);
    void writeForEver(response, (bytes) => {
      written += bytes;
    });
  });
  const gateway = await startGateway(modelsFile(upstream.origin));
  const socket = openSocket(gateway.url);
  socket.write(rawCall({ prompt: 'a cat' }));
  await once(socket, 'data');
  socket.pause();
  const heldAt = await settled(() => written);
  // The sockets' own buffers on both sides of the gateway are most of it.
  expect(heldAt).toBeLessThan(32 * 1024 * 1024);
  expect(gateway.app.gateway.inFlight).toBe(1);
  socket.resume();
  await expect.poll(() => written, patience).toBeGreaterThan(heldAt + 48 * 1024 * 1024);
  socket.destroy();
  await expectLeft(gateway, { sent: true, images: 0 });
});

/** The value once it has not changed for a while. */
async function settled(read: () => number): Promise<number> {
  for (let last = read(); ; last = read()) {
    await wait(400);
    if (read() === last) return last;
  }
}
