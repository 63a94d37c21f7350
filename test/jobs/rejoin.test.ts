import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { describe, expect, onTestFinished, test } from 'vitest';
import { drain } from '../../src/http/lifecycle.ts';
import { metricsOf } from '../end-to-end/metrics-of.ts';
import { exchange, modelsFile, openSocket, rawCall, requestLines, startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';

const patience = { timeout: 60_000 };
const otherKey = 'another-gateway-key';
const retryHeader = { 'x-stainless-retry-count': '1' };

const image = (revised_prompt = 'a cat') =>
  JSON.stringify({ created: 1, data: [{ b64_json: tinyPng, revised_prompt }] });

/** A gateway in front of an upstream that holds every call until the test responds to it. */
async function startHeld({ timeoutMs = 30_000, lingerMs = 10_000, interimMs = 60_000, uploads = tmpdir() } = {}) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_request, response) => {
    response.on('error', () => {});
    held.push(response);
  });
  const gateway = await startGateway(modelsFile(upstream.origin, timeoutMs, { maxRetries: 2 }), {
    keys: [gatewayKey, otherKey],
    times: { lingerMs, interimMs },
    uploads,
  });
  return { held, upstream, gateway };
}

type Held = Awaited<ReturnType<typeof startHeld>>;

/** Calls on a plain connection and disconnects when the upstream has got its call. */
async function callAndDisconnect({ upstream, gateway }: Held, request: object = { prompt: 'a cat' }): Promise<void> {
  const before = upstream.received;
  const orphansBefore = gateway.app.gateway.orphans;
  const socket = openSocket(gateway.url);
  socket.write(rawCall(request));
  await expect.poll(() => upstream.received, patience).toBe(before + 1);
  socket.destroy();
  await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(orphansBefore + 1);
}

async function expectAtRest({ app }: StartedGateway): Promise<void> {
  await expect.poll(() => app.gateway.inFlight, patience).toBe(0);
  await expect.poll(() => app.gateway.admission.heldBytes, patience).toBe(0);
  await expect.poll(() => app.gateway.orphans, patience).toBe(0);
}

const revisedPrompts = (response: { json(): { data: { revised_prompt?: string }[] } }) =>
  response.json().data.map(({ revised_prompt }) => revised_prompt);

describe('a client that disconnects before the first byte and retries', () => {
  test.each([
    ['that says so, while the upstream is silent', retryHeader, 'before'],
    ['that does not say so, while the upstream is silent', {}, 'before'],
    ['that says so, after the upstream has responded', retryHeader, 'after'],
    ['that does not say so, after the upstream has responded', {}, 'after'],
  ])('with a client %s, gets the image of the call from which it disconnected', async (_, headers, when) => {
    const rig = await startHeld();
    await callAndDisconnect(rig);
    if (when === 'after') {
      rig.held[0]?.end(image());
      await expect.poll(() => rig.upstream.connections, patience).toBe(0);
    }
    const again = callGateway(rig.gateway.url, { prompt: 'a cat' }, { headers });
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    rig.held[0]?.end(image());
    const response = await again;
    expect(response.status).toBe(200);
    expect(response.json().data).toEqual([{ b64_json: tinyPng, revised_prompt: 'a cat' }]);
    expect(Object.fromEntries(response.headers)).toMatchObject({ 'x-gateway-attempts': '1', 'x-gateway-target': '1' });
    expect(rig.upstream.received).toBe(1);
    await expectAtRest(rig.gateway);
    expect(requestLines(rig.gateway).map(({ end }) => end)).toEqual(['disconnected', 'completed']);
    expect(await metricsOf(rig.gateway.url, 'gateway_retries_arrived_total', 'end')).toEqual({ rejoined: 1 });
    expect(await metricsOf(rig.gateway.url, 'gateway_upstream_attempts_total', 'outcome')).toEqual({ delivered: 1 });
  });

  test('and disconnects again, and retries once more, gets it all the same', async () => {
    const rig = await startHeld();
    await callAndDisconnect(rig);
    const socket = openSocket(rig.gateway.url);
    socket.write(rawCall({ prompt: 'a cat' }));
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    socket.destroy();
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(1);
    const again = callGateway(rig.gateway.url, { prompt: 'a cat' });
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    rig.held[0]?.end(image());
    expect(revisedPrompts(await again)).toEqual(['a cat']);
    expect(rig.upstream.received).toBe(1);
    await expectAtRest(rig.gateway);
  });

  test.each([
    ['after a stream', { prompt: 'a cat', stream: true, partial_images: 1 }],
    ['after JSON', { prompt: 'a cat' }],
    ['after JSON with base64', { prompt: 'a cat', response_format: 'b64_json' }],
  ])('for a stream, %s, gets its events: how an image comes back makes no other request of it', async (_, left) => {
    const rig = await startHeld();
    const request = { prompt: 'a cat', stream: true };
    await callAndDisconnect(rig, left);
    const again = callGateway(rig.gateway.url, request, { headers: retryHeader });
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    rig.held[0]?.end(image());
    const { text } = await again;
    expect(text.match(/^event: .*$/gm)).toEqual(['event: image_generation.completed']);
    expect(text).toContain(tinyPng);
    expect(rig.upstream.received).toBe(1);
    await expectAtRest(rig.gateway);
  });

  test.each([
    ['another key', { prompt: 'a cat' }, { authorization: `Bearer ${otherKey}` }],
    ['another prompt', { prompt: 'a dog' }, {}],
    ['another parameter', { prompt: 'a cat', size: '1024x1536' }, {}],
    ['another model', { prompt: 'a cat', model: 'studio/poster' }, {}],
  ])('with %s gets an image of its own', async (_, request, headers) => {
    const rig = await startHeld();
    await callAndDisconnect(rig);
    const other = callGateway(rig.gateway.url, request, { headers: { ...retryHeader, ...headers } });
    await expect.poll(() => rig.upstream.received, patience).toBe(2);
    expect(rig.gateway.app.gateway.orphans).toBe(1);
    rig.held[1]?.end(image('its own'));
    expect((await other).status).toBe(200);
    expect(await metricsOf(rig.gateway.url, 'gateway_retries_arrived_total', 'end')).toEqual({ possible_duplicate: 1 });
  });

  test('twice over gets each of its images once, the oldest first', async () => {
    const rig = await startHeld();
    // The second one is not the first one's retry: they are there at the same time.
    const sockets = [openSocket(rig.gateway.url), openSocket(rig.gateway.url)];
    for (const [index, socket] of sockets.entries()) {
      socket.write(rawCall({ prompt: 'a cat' }));
      await expect.poll(() => rig.upstream.received, patience).toBe(index + 1);
    }
    for (const [index, socket] of sockets.entries()) {
      socket.destroy();
      await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(index + 1);
    }
    const responses: ReturnType<typeof callGateway>[] = [];
    for (const left of [1, 0]) {
      responses.push(callGateway(rig.gateway.url, { prompt: 'a cat' }));
      await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(left);
    }
    rig.held[1]?.end(image('second'));
    rig.held[0]?.end(image('first'));
    expect((await Promise.all(responses)).map(revisedPrompts)).toEqual([['first'], ['second']]);
    expect(rig.upstream.received).toBe(2);
    await expectAtRest(rig.gateway);
  });

  test('too late finds the upstream’s connection closed, and buys an image of its own', async () => {
    const rig = await startHeld({ lingerMs: 100 });
    await callAndDisconnect(rig);
    await expect.poll(() => rig.upstream.connections, patience).toBe(0);
    await expectAtRest(rig.gateway);
    const again = callGateway(rig.gateway.url, { prompt: 'a cat' }, { headers: retryHeader });
    await expect.poll(() => rig.upstream.received, patience).toBe(2);
    rig.held[1]?.end(image());
    expect((await again).status).toBe(200);
    expect(await metricsOf(rig.gateway.url, 'gateway_upstream_attempts_total', 'outcome')).toEqual({
      abandoned: 1,
      delivered: 1,
    });
  });

  test('gets the deadline of the call from which it disconnected', async () => {
    const rig = await startHeld({ timeoutMs: 1_000 });
    await callAndDisconnect(rig);
    const begin = performance.now();
    const response = await callGateway(
      rig.gateway.url,
      { prompt: 'a cat' },
      { headers: { 'x-gateway-timeout-ms': '900000' } },
    );
    expect([response.status, response.json().error.code]).toEqual([504, 'upstream_outcome_unknown']);
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(performance.now() - begin).toBeLessThan(2_000);
    expect(rig.upstream.received).toBe(1);
  });

  test('with an edit gets the one image, and no upload stays behind', async () => {
    const uploads = await mkdtemp(join(tmpdir(), 'take-over-'));
    onTestFinished(() => rm(uploads, { recursive: true }));
    const rig = await startHeld({ uploads });
    // Long enough for a temporary file.
    const file = new Blob([Buffer.from(tinyPng, 'base64'), Buffer.alloc(2 * 1024 * 1024)], { type: 'image/png' });
    const edit = (signal?: AbortSignal) => {
      const body = new FormData();
      body.append('prompt', 'a cat');
      body.append('image', file, 'a.png');
      const headers = { authorization: `Bearer ${gatewayKey}` };
      return fetch(`${rig.gateway.url}/v1/images/edits`, { method: 'POST', headers, body, ...(signal && { signal }) });
    };
    const disconnecting = new AbortController();
    const first = edit(disconnecting.signal).catch(() => undefined);
    await expect.poll(() => rig.upstream.received, patience).toBe(1);
    expect(openFilesIn(uploads)).toBe(1);
    disconnecting.abort();
    await first;
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(1);
    const again = edit();
    await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    await expect.poll(() => openFilesIn(uploads), patience).toBe(1);
    rig.held[0]?.end(image());
    expect(await (await again).json()).toMatchObject({ data: [{ b64_json: tinyPng }] });
    expect(rig.upstream.received).toBe(1);
    await expect.poll(() => openFilesIn(uploads), patience).toBe(0);
    await expectAtRest(rig.gateway);
  });
});

function openFilesIn(directory: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith(directory)).length;
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // Closed meanwhile.
    return '';
  }
}

describe('an outcome that nobody knows', () => {
  const ends: [string, (response: ServerResponse) => void, number][] = [
    ['502 as a page', (response) => void response.writeHead(502).end('<html>'), 502],
    ['500 as a page', (response) => void response.writeHead(500).end('<html>'), 502],
    ['504', (response) => void response.writeHead(504).end(), 504],
    ['a reset', (response) => void response.socket?.resetAndDestroy(), 502],
  ];

  test.each(ends)('%s is reported to whoever retries, at once, and nothing is bought', async (_, end, status) => {
    const rig = await startHeld({ lingerMs: 500 });
    const first = callGateway(rig.gateway.url, { prompt: 'a cat' });
    await expect.poll(() => rig.upstream.received, patience).toBe(1);
    end(rig.held[0] as ServerResponse);
    const responses = [await first];
    for (const headers of [{}, retryHeader]) {
      responses.push(await callGateway(rig.gateway.url, { prompt: 'a cat' }, { headers }));
    }
    for (const response of responses) {
      expect([response.status, response.json().error.code]).toEqual([status, 'upstream_outcome_unknown']);
      expect(response.headers.get('x-should-retry')).toBe('false');
    }
    expect(rig.upstream.received).toBe(1);
    expect(await metricsOf(rig.gateway.url, 'gateway_retries_arrived_total', 'end')).toEqual({ shared_unknown: 2 });
    await expectAtRest(rig.gateway);
  });

  test('is reported for its time only, and to the same key only', async () => {
    const rig = await startHeld({ lingerMs: 300 });
    const first = callGateway(rig.gateway.url, { prompt: 'a cat' });
    await expect.poll(() => rig.held.length, patience).toBe(1);
    rig.held[0]?.writeHead(504).end();
    expect((await first).status).toBe(504);
    const other = callGateway(
      rig.gateway.url,
      { prompt: 'a cat' },
      { headers: { authorization: `Bearer ${otherKey}` } },
    );
    await expect.poll(() => rig.held.length, patience).toBe(2);
    rig.held[1]?.end(image());
    expect((await other).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const later = callGateway(rig.gateway.url, { prompt: 'a cat' });
    await expect.poll(() => rig.held.length, patience).toBe(3);
    rig.held[2]?.end(image());
    expect((await later).status).toBe(200);
  });

  test('of a call whose client disconnected is reported to the retry', async () => {
    const rig = await startHeld();
    await callAndDisconnect(rig);
    rig.held[0]?.writeHead(504).end();
    await expect.poll(() => rig.gateway.app.gateway.inFlight, patience).toBe(0);
    const response = await callGateway(rig.gateway.url, { prompt: 'a cat' });
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([504, 'false']);
    expect(rig.upstream.received).toBe(1);
  });

  test.each(ends)('after %s a client that repeats every 5xx buys nothing', async (_, end) => {
    const rig = await startHeld({ lingerMs: 2_000 });
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const pending = callGateway(rig.gateway.url, { prompt: 'a cat' });
      if (attempt === 0) {
        await expect.poll(() => rig.held.length, patience).toBe(1);
        end(rig.held[0] as ServerResponse);
      }
      statuses.push((await pending).status);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(statuses.every((status) => status >= 500)).toBe(true);
    expect(rig.upstream.received).toBe(1);
  });
});

describe('the OpenAI SDK with its own retries', () => {
  test('and a timeout that is too short buys one image, and gets it', async () => {
    const rig = await startHeld();
    const client = new OpenAI({ apiKey: gatewayKey, baseURL: `${rig.gateway.url}/v1`, timeout: 300 });
    const response = client.images.generate({ model: 'image', prompt: 'a cat' });
    await expect.poll(() => rig.held.length, patience).toBe(1);
    await expect.poll(() => requestLines(rig.gateway).length, patience).toBe(1);
    rig.held[0]?.end(image());
    expect((await response).data).toEqual([{ b64_json: tinyPng, revised_prompt: 'a cat' }]);
    expect(rig.upstream.received).toBe(1);
    await expectAtRest(rig.gateway);
  });

  test('gets its image through interim responses', async () => {
    const rig = await startHeld({ interimMs: 30 });
    const client = new OpenAI({ apiKey: gatewayKey, baseURL: `${rig.gateway.url}/v1`, maxRetries: 0 });
    const response = client.images.generate({ model: 'image', prompt: 'a cat' });
    await expect.poll(() => rig.held.length, patience).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    rig.held[0]?.end(image());
    expect((await response).data).toHaveLength(1);
  });
});

describe('interim responses', () => {
  const silence = new Promise<void>((resolve) => setTimeout(resolve, 300));
  const authorization = `authorization: Bearer ${gatewayKey}`;

  test.each([
    ['a client that says it is JavaScript', ['x-stainless-lang: js'], {}, true],
    ['another SDK', ['x-stainless-lang: python'], {}, false],
    ['an unknown client', [], {}, false],
    ['a stream, which has signs of life of its own', ['x-stainless-lang: js'], { stream: true }, false],
  ])('for %s: %4$s', async (_, headers, request, isReported) => {
    const rig = await startHeld({ interimMs: 30 });
    const bytes = rawCall({ prompt: 'a cat', ...request }, [authorization, 'connection: close', ...headers]);
    const text = exchange(rig.gateway.url, bytes);
    await expect.poll(() => rig.held.length, patience).toBe(1);
    await silence;
    await new Promise((resolve) => setTimeout(resolve, 100));
    rig.held[0]?.end(image());
    const statuses = (await text).match(/^HTTP\/1\.1 \d+/gm) ?? [];
    expect(statuses.at(-1)).toBe('HTTP/1.1 200');
    expect(statuses.slice(0, -1).every((line) => line === 'HTTP/1.1 102')).toBe(true);
    expect(statuses.length > 1).toBe(isReported);
  });
});

test('a gateway that stops while a generation lingers closes its upstream connection, and ends', async () => {
  const rig = await startHeld({ lingerMs: 500 });
  await callAndDisconnect(rig);
  const { server, gateway, lifecycle } = rig.gateway.app;
  const closed = once(server.server, 'close');
  const begin = performance.now();
  await drain({ server, gateway, lifecycle }, { leadMs: 10, limitMs: 5_000 });
  await closed;
  expect(performance.now() - begin).toBeLessThan(4_000);
  await expect.poll(() => rig.upstream.connections, patience).toBe(0);
  await expectAtRest(rig.gateway);
});
