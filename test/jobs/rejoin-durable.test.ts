import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { authorization, editForm, editsPath, file, padded, pngImage } from '../end-to-end/edits.ts';
import { metricsOf } from '../end-to-end/metrics-of.ts';
import { generationsPath, openSocket, rawCall, requestLines } from '../end-to-end/rig.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { formHeaders } from '../simulator/write-form.ts';
import { edit, generate, imagesIn, keyHeaders, startHeld } from './paid-once.ts';

// Requests without an Idempotency-Key, at a gateway that keeps its jobs in a directory.

const patience = { timeout: 60_000 };
const retry = { 'x-stainless-retry-count': '1' };

type Held = Awaited<ReturnType<typeof startHeld>>;

async function responseWith(colour: string, bytes = 100_000): Promise<{ image: Buffer; text: string }> {
  const image = padded(await pngImage(colour), bytes);
  return { image, text: JSON.stringify({ created: 1, data: [{ b64_json: image.toString('base64') }] }) };
}

const requests = {
  generation: { path: generationsPath, again: generate },
  edit: { path: editsPath, again: edit },
} as const;
type Operation = keyof typeof requests;

async function bodyOf(operation: Operation, stream: boolean) {
  if (operation === 'edit') {
    const form = editForm([file('image', await pngImage())], stream ? { stream: 'true' } : {});
    return { headers: { ...authorization, ...formHeaders }, body: new Uint8Array(form) };
  }
  const headers = { ...authorization, 'content-type': 'application/json' };
  return { headers, body: JSON.stringify({ prompt: 'a cat', ...(stream && { stream }) }) };
}

/** Calls, and leaves once something has happened, without a byte of the response. */
async function leaveAfter(
  { url }: { readonly url: string },
  happened: () => Promise<unknown>,
  { operation = 'generation', stream = false, headers: further = {} }: Leaving = {},
): Promise<void> {
  const leaving = new AbortController();
  const { headers, body } = await bodyOf(operation, stream);
  const init = { method: 'POST', headers: { ...headers, ...further }, body, signal: leaving.signal };
  const left = fetch(`${url}${requests[operation].path}`, init).catch(() => {});
  await happened();
  leaving.abort();
  await left;
}

type Leaving = { readonly operation?: Operation; readonly stream?: boolean; readonly headers?: Record<string, string> };

/** Calls, and leaves once the upstream has the call. */
async function callAndLeave(rig: Held, operation: Operation = 'generation', stream = false) {
  const { upstream, gateway } = rig;
  const before = [upstream.received, gateway.app.gateway.orphans];
  const arrived = () => expect.poll(() => upstream.received, patience).toBe((before[0] ?? 0) + 1);
  await leaveAfter(rig, arrived, { operation, stream });
  await expect.poll(() => gateway.app.gateway.orphans, patience).toBe((before[1] ?? 0) + 1);
}

function disconnected({ gateway }: Held): number {
  return requestLines(gateway).filter(({ end }) => end === 'disconnected').length;
}

async function stored({ gateway }: Held, jobs: number): Promise<void> {
  await expect.poll(() => gateway.app.metrics(), patience).toContain(`gateway_jobs{state="done"} ${jobs}`);
  await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(0);
}

describe('a client that leaves after its call was sent', () => {
  test.each(
    (['generation', 'edit'] as const).flatMap((operation) =>
      [false, true].flatMap((stream) =>
        (['before', 'after'] as const).map((when) => [operation, stream, when] as const),
      ),
    ),
  )('has its %s (stream: %s) when it retries %s the upstream responds, once', async (operation, stream, when) => {
    const rig = await startHeld({ limits: { lingerMs: 0 } });
    const { image, text } = await responseWith('red');
    await callAndLeave(rig, operation, stream);
    const call = () => requests[operation].again(rig.url, stream ? { stream } : {}, retry);
    const early = when === 'before' ? call() : undefined;
    if (early) await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(0);
    rig.held[0]?.end(text);
    if (!early) await stored(rig, 1);
    const response = await (early ?? call());
    expect([response.status, await imagesIn(response)]).toEqual([200, [image]]);
    expect(keyHeaders(response)).toEqual({ job: null, replayed: null });
    expect(rig.upstream.received).toBe(1);
    expect(await metricsOf(rig.url, 'gateway_retries_arrived_total', 'end')).toEqual({ rejoined: 1 });
    // Its own image has been had: the next one is another purchase.
    const next = call();
    await expect.poll(() => rig.upstream.received, patience).toBe(2);
    rig.held[1]?.end((await responseWith('blue')).text);
    expect(await imagesIn(await next)).not.toEqual([image]);
  });

  test('may want its image in another form', async () => {
    const rig = await startHeld();
    const { image, text } = await responseWith('red');
    for (const [index, members] of [
      { response_format: 'url' },
      { stream: true },
      { response_format: 'b64_json' },
    ].entries()) {
      await callAndLeave(rig, 'generation', index === 2);
      rig.held[index]?.end(text);
      await stored(rig, index + 1);
      expect(await imagesIn(await generate(rig.url, members, retry))).toEqual([image]);
    }
    expect(rig.upstream.received).toBe(3);
  });

  test.each([
    [60_000, 1],
    [0, 2],
  ])('and does not say that it retries, has it within lingerMs only: %i ms', async (lingerMs, received) => {
    const rig = await startHeld({ limits: { lingerMs } });
    const { text } = await responseWith('red');
    await callAndLeave(rig);
    rig.held[0]?.end(text);
    await stored(rig, 1);
    const silent = generate(rig.url);
    if (received > 1) {
      await expect.poll(() => rig.upstream.received, patience).toBe(received);
      rig.held[1]?.end(text);
    }
    expect((await silent).status).toBe(200);
    expect(rig.upstream.received).toBe(received);
    // One that says so has what is left.
    if (received > 1) expect((await generate(rig.url, {}, retry)).status).toBe(200);
    expect(rig.upstream.received).toBe(received);
  });

  test('that leaves again in the middle of its stored response has it from the beginning', async () => {
    const rig = await startHeld();
    // More than what the sockets hold.
    const { image, text } = await responseWith('red', 40_000_000);
    await callAndLeave(rig);
    rig.held[0]?.end(text);
    await stored(rig, 1);
    const socket = openSocket(rig.url);
    socket.write(rawCall({ prompt: 'a cat' }, [`authorization: Bearer ${gatewayKey}`, 'x-stainless-retry-count: 1']));
    await once(socket, 'readable');
    socket.destroy();
    await expect.poll(() => disconnected(rig), patience).toBe(2);
    const [again] = await imagesIn(await generate(rig.url, {}, { 'x-stainless-retry-count': '2' }));
    expect(again?.equals(image)).toBe(true);
    expect(rig.upstream.received).toBe(1);
  });

  test('is not waited for by others: two clients that are connected get an image each', async () => {
    const rig = await startHeld();
    const calls = [generate(rig.url, {}, retry), generate(rig.url, {}, retry)];
    await expect.poll(() => rig.upstream.received, patience).toBe(2);
    const texts = [await responseWith('red'), await responseWith('blue')];
    for (const [index, { text }] of texts.entries()) rig.held[index]?.end(text);
    const images = (await Promise.all((await Promise.all(calls)).map(imagesIn))).flat();
    expect(new Set(images.map((image) => image.toString('base64'))).size).toBe(2);
  });

  test('of another consumer has no part in it', async () => {
    const rig = await startHeld({ keys: [gatewayKey, 'another-gateway-key'] });
    await callAndLeave(rig);
    rig.held[0]?.end((await responseWith('red')).text);
    await stored(rig, 1);
    const other = generate(rig.url, {}, { ...retry, authorization: 'Bearer another-gateway-key' });
    await expect.poll(() => rig.upstream.received, patience).toBe(2);
    rig.held[1]?.end((await responseWith('blue')).text);
    expect((await other).status).toBe(200);
  });

  test('goes on into the store until its own deadline, and its retry is told of that', async () => {
    const rig = await startHeld({ modelKeys: { timeoutMs: 2_000 }, limits: { lingerMs: 0 } });
    await callAndLeave(rig);
    const response = await generate(rig.url, {}, retry);
    expect([response.status, response.json().error.code]).toEqual([504, 'upstream_outcome_unknown']);
    expect(response.headers.get('x-should-retry')).toBe('false');
    const again = await generate(rig.url, {}, retry);
    expect([again.status, again.json().error.code]).toEqual([504, 'upstream_outcome_unknown']);
    expect(rig.upstream.received).toBe(1);
  });
});

describe('a retry at another gateway on the same directory', () => {
  test('has what the first one has stored before it was closed, once', async () => {
    const dataDir = await temporaryDirectory();
    const one = await startHeld({ dataDir });
    const { image, text } = await responseWith('red');
    await callAndLeave(one);
    one.held[0]?.end(text);
    await stored(one, 1);
    await one.gateway.app.server.close();
    const other = await startHeld({ dataDir });
    expect(await imagesIn(await generate(other.url, {}, retry))).toEqual([image]);
    expect(other.upstream.received).toBe(0);
    const next = generate(other.url, {}, retry);
    await expect.poll(() => other.upstream.received, patience).toBe(1);
    other.held[0]?.end(text);
    expect((await next).status).toBe(200);
  });

  test('joins what the first one still runs', async () => {
    const dataDir = await temporaryDirectory();
    const [one, other] = [await startHeld({ dataDir }), await startHeld({ dataDir })];
    const { image, text } = await responseWith('red');
    await callAndLeave(one);
    const again = generate(other.url, {}, retry);
    await expect
      .poll(() => metricsOf(other.url, 'gateway_retries_arrived_total', 'end'), patience)
      .toEqual({ rejoined: 1 });
    one.held[0]?.end(text);
    expect(await imagesIn(await again)).toEqual([image]);
    expect([one.upstream.received, other.upstream.received]).toEqual([1, 0]);
  });

  test('joins it again when it has left once more', async () => {
    const dataDir = await temporaryDirectory();
    const [one, other] = [await startHeld({ dataDir }), await startHeld({ dataDir })];
    const { image, text } = await responseWith('red');
    await callAndLeave(one);
    const rejoined = (count: number) => () =>
      expect
        .poll(() => metricsOf(other.url, 'gateway_retries_arrived_total', 'end'), patience)
        .toEqual({ rejoined: count });
    await leaveAfter(other, rejoined(1), { headers: retry });
    await expect.poll(() => disconnected(other), patience).toBe(1);
    const again = generate(other.url, {}, retry);
    await rejoined(2)();
    one.held[0]?.end(text);
    expect(await imagesIn(await again)).toEqual([image]);
    expect([one.upstream.received, other.upstream.received]).toEqual([1, 0]);
  });

  test('is told that nobody knows, where the first one was closed while its call ran', async () => {
    const dataDir = await temporaryDirectory();
    const one = await startHeld({ dataDir });
    await callAndLeave(one);
    await one.gateway.app.server.close();
    const other = await startHeld({ dataDir });
    for (let repeat = 0; repeat < 2; repeat += 1) {
      const response = await generate(other.url, {}, retry);
      expect([response.status, response.json().error.code]).toEqual([502, 'upstream_outcome_unknown']);
    }
    expect(other.upstream.received).toBe(0);
  });
});

test('a client that leaves in the middle of its response loses it, and says so in the metrics when it retries', async () => {
  const rig = await startHeld();
  const { text } = await responseWith('red', 3_000_000);
  const leaving = new AbortController();
  const { headers, body } = await bodyOf('generation', false);
  const init = { method: 'POST', headers, body, signal: leaving.signal };
  const call = fetch(`${rig.url}${generationsPath}`, init);
  await expect.poll(() => rig.held.length, patience).toBe(1);
  rig.held[0]?.write(text.slice(0, 2_000_000));
  await call;
  leaving.abort();
  await once(rig.held[0] as ServerResponse, 'close');
  await expect.poll(() => rig.gateway.app.gateway.inFlight, patience).toBe(0);
  const again = generate(rig.url, {}, retry);
  await expect.poll(() => rig.upstream.received, patience).toBe(2);
  rig.held[1]?.end(text);
  expect((await again).status).toBe(200);
  expect(await metricsOf(rig.url, 'gateway_retries_arrived_total', 'end')).toEqual({ possible_duplicate: 1 });
});
