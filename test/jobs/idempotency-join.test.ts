import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { file, openFiles, padded, pngImage } from '../end-to-end/edits.ts';
import { metricsOf } from '../end-to-end/metrics-of.ts';
import { openSocket, rawCall, requestLines } from '../end-to-end/rig.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import {
  edit,
  editWith,
  generate,
  imagesIn,
  keyed,
  keyHeaders,
  type Members,
  operations,
  type PaidOnceRig,
  startHeld,
} from './paid-once.ts';

const patience = { timeout: 60_000 };

/** Waits until the upstream has so many calls. */
async function arrived({ held }: { held: readonly unknown[] }, count: number): Promise<void> {
  await expect.poll(() => held.length, patience).toBe(count);
}

async function joined({ url }: { url: string }, count: number): Promise<void> {
  const joins = async () => (await metricsOf(url, 'gateway_retries_arrived_total', 'end')).joined;
  await expect.poll(joins, patience).toBe(count);
}

async function imageText(bytes = 200_000): Promise<string> {
  const image = padded(await pngImage(), bytes).toString('base64');
  return JSON.stringify({ created: 1, data: [{ b64_json: image }] });
}

async function expectAtRest({ app }: PaidOnceRig): Promise<void> {
  await expect.poll(() => app.gateway.inFlight, patience).toBe(0);
  await expect.poll(() => app.gateway.admission.heldBytes, patience).toBe(0);
  await expect.poll(() => app.gateway.orphans, patience).toBe(0);
}

describe('requests with one key at once', () => {
  test.each(Object.entries(operations))('a hundred %ss: one paid call, and a hundred equal bodies', async (_, call) => {
    // Joiners need no permits: two requests may run, and four wait.
    const rig = await startHeld({ limits: { inFlight: 2 } });
    const calls = Array.from({ length: 100 }, () => call(rig.url, {}, keyed('k')));
    await arrived(rig, 1);
    await joined(rig, 99);
    rig.held[0]?.end(await imageText(2_000_000));
    const responses = await Promise.all(calls);
    expect(responses.map(({ status }) => status)).toEqual(Array(100).fill(200));
    expect(new Set(responses.map(({ text }) => text)).size).toBe(1);
    expect(new Set(responses.map((response) => keyHeaders(response).job)).size).toBe(1);
    // They have waited for the same call: nothing is a replay.
    expect(responses.every((response) => keyHeaders(response).replayed === null)).toBe(true);
    expect(rig.upstream.received).toBe(1);
    await expectAtRest(rig.gateway);
    const [again] = await Promise.all([call(rig.url, {}, keyed('k'))]);
    expect([again.text === responses[0]?.text, keyHeaders(again).replayed]).toEqual([true, 'true']);
  });

  test('get their images in whatever form each of them wants', async () => {
    const rig = await startHeld();
    const forms: Members[] = [
      {},
      { response_format: 'url' },
      { stream: true },
      { stream: true, partial_images: 2 },
      { response_format: 'b64_json', model: 'gpt-image-1' },
    ];
    const calls = forms.map((form) => generate(rig.url, form, keyed('k')));
    await arrived(rig, 1);
    await joined(rig, forms.length - 1);
    rig.held[0]?.end(await imageText());
    const responses = await Promise.all(calls);
    expect(responses.map(({ status }) => status)).toEqual(forms.map(() => 200));
    const [first, ...others] = await Promise.all(responses.map(imagesIn));
    for (const images of others) expect(images).toEqual(first);
    expect(rig.upstream.received).toBe(1);
    await expectAtRest(rig.gateway);
  });

  test('share a failure, and the next one runs again where it was not processed', async () => {
    const rig = await startHeld();
    const calls = [1, 2, 3].map(() => generate(rig.url, {}, keyed('k')));
    await arrived(rig, 1);
    await joined(rig, 2);
    rig.held[0]?.writeHead(503, { 'retry-after-ms': '1' }).end();
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([503, 503, 503]);
    const next = generate(rig.url, {}, keyed('k'));
    await arrived(rig, 2);
    rig.held[1]?.end(await imageText());
    expect((await next).status).toBe(200);
  });

  test('keep no uploads but those of the first one', async () => {
    const uploads = await temporaryDirectory();
    const rig = await startHeld({ uploads });
    // Long enough for a temporary file.
    const files = [file('image', padded(await pngImage(), 3_000_000))];
    const first = editWith(rig.url, files, {}, keyed('k'));
    await arrived(rig, 1);
    const second = editWith(rig.url, files, {}, keyed('k'));
    await joined(rig, 1);
    await expect.poll(async () => (await openFiles(uploads)).length, patience).toBe(1);
    rig.held[0]?.end(await imageText());
    expect((await second).text).toBe((await first).text);
    expect((await editWith(rig.url, files, {}, keyed('k'))).status).toBe(200);
    await expect.poll(() => openFiles(uploads), patience).toEqual([]);
  });

  test('a different request does not wait for the one that runs: 422 at once', async () => {
    const rig = await startHeld();
    const first = generate(rig.url, {}, keyed('k'));
    await arrived(rig, 1);
    expect((await generate(rig.url, { prompt: 'a dog' }, keyed('k'))).status).toBe(422);
    rig.held[0]?.end(await imageText());
    expect((await first).status).toBe(200);
    expect(rig.upstream.received).toBe(1);
  });

  test('join and replay also where the process is full, and the consumer is busy', async () => {
    const callers = { shop: { keys: [{ key: gatewayKey }], limits: { concurrent: 1 } } };
    const rig = await startHeld({ keys: [], callers });
    const first = generate(rig.url, {}, keyed('k'));
    await arrived(rig, 1);
    const join = generate(rig.url, {}, keyed('k'));
    await joined(rig, 1);
    const busy = await generate(rig.url, {}, keyed('k2'));
    expect([busy.status, busy.json().error.code]).toEqual([429, 'rate_limit_exceeded']);
    rig.held[0]?.end(await imageText());
    expect((await join).text).toBe((await first).text);
    const other = generate(rig.url, { prompt: 'a dog' }, keyed('k3'));
    await arrived(rig, 2);
    expect(keyHeaders(await generate(rig.url, {}, keyed('k'))).replayed).toBe('true');
    rig.held[1]?.end(await imageText());
    expect((await other).status).toBe(200);
  });
});

describe('a joiner whose own deadline is shorter', () => {
  test.each([{}, { stream: true }])('gets 409 that its SDK retries, and the image later: %o', async (form) => {
    const rig = await startHeld();
    const first = generate(rig.url, {}, keyed('k'));
    await arrived(rig, 1);
    const impatient = await generate(rig.url, form, { ...keyed('k'), 'x-gateway-timeout-ms': '1000' });
    expect([impatient.status, impatient.json().error.code]).toEqual([409, 'idempotency_in_flight']);
    const { headers } = impatient;
    expect([headers.get('retry-after'), headers.get('retry-after-ms'), headers.get('x-should-retry')]).toEqual([
      '2',
      '2000',
      null,
    ]);
    expect(keyHeaders(impatient).replayed).toBeNull();
    rig.held[0]?.end(await imageText());
    const made = await first;
    expect(made.status).toBe(200);
    const later = await generate(rig.url, form, keyed('k'));
    expect([later.status, keyHeaders(later)]).toEqual([200, { job: keyHeaders(made).job, replayed: 'true' }]);
    expect(await imagesIn(later)).toEqual(await imagesIn(made));
    expect(rig.upstream.received).toBe(1);
  });
});

describe('a client that leaves', () => {
  const phases = ['before the response', 'in the middle of the image'] as const;

  test.each(phases.flatMap((when) => [false, true].map((stream) => [when, stream] as const)))(
    '%s (stream: %s): the same key gets all of it, with one paid call',
    async (when, stream) => {
      const rig = await startHeld();
      const whole = await imageText(3_000_000);
      const sent = when === phases[0] ? '' : whole.slice(0, 2_000_000);
      const socket = openSocket(rig.url);
      const own = [`authorization: Bearer ${gatewayKey}`, 'idempotency-key: k'];
      socket.write(rawCall({ prompt: 'a cat', stream }, own));
      await arrived(rig, 1);
      if (sent !== '') {
        rig.held[0]?.write(sent);
        await once(socket, 'data');
      }
      socket.destroy();
      await expect.poll(() => rig.gateway.app.gateway.orphans, patience).toBe(1);
      // One joins while it runs without a client, another one comes when it has ended.
      const during = generate(rig.url, { stream }, keyed('k'));
      await joined(rig, 1);
      rig.held[0]?.end(whole.slice(sent.length));
      const responses = [await during, await generate(rig.url, { stream }, keyed('k'))];
      const image = Buffer.from(JSON.parse(whole).data[0].b64_json, 'base64');
      for (const response of responses) expect(await imagesIn(response)).toEqual([image]);
      expect(responses[0]?.text).toBe(responses[1]?.text);
      expect(rig.upstream.received).toBe(1);
      await expectAtRest(rig.gateway);
      expect(requestLines(rig.gateway).flatMap(({ end, keyedAs }) => (keyedAs ? [[end, keyedAs]] : []))).toEqual([
        ['disconnected', 'first'],
        ['completed', 'joined'],
        ['completed', 'replayed'],
      ]);
    },
  );

  test('does not wait for a slow joiner, nor the other way round', async () => {
    const rig = await startHeld();
    const slow = openSocket(rig.url);
    slow.write(rawCall({ prompt: 'a cat' }, [`authorization: Bearer ${gatewayKey}`, 'idempotency-key: k']));
    await arrived(rig, 1);
    // It reads nothing: more than what the sockets hold in between.
    slow.pause();
    const quick = generate(rig.url, {}, keyed('k'));
    await joined(rig, 1);
    rig.held[0]?.end(await imageText(30_000_000));
    expect((await quick).status).toBe(200);
    slow.destroy();
    expect(keyHeaders(await generate(rig.url, {}, keyed('k'))).replayed).toBe('true');
    await expectAtRest(rig.gateway);
  });

  test('before anything was sent ends its request, and the key runs again', async () => {
    const rig = await startHeld({ limits: { inFlight: 1 } });
    const first = generate(rig.url, { prompt: 'a dog' });
    await arrived(rig, 1);
    const leaving = new AbortController();
    const body = JSON.stringify({ prompt: 'a cat' });
    const headers = { authorization: `Bearer ${gatewayKey}`, 'content-type': 'application/json', ...keyed('k') };
    const path = `${rig.url}/v1/images/generations`;
    const left = fetch(path, { method: 'POST', headers, body, signal: leaving.signal }).catch(() => undefined);
    await expect.poll(() => rig.gateway.app.gateway.inFlight, patience).toBe(2);
    leaving.abort();
    await left;
    await expect.poll(() => rig.gateway.app.gateway.inFlight, patience).toBe(1);
    rig.held[0]?.end(await imageText());
    expect((await first).status).toBe(200);
    const again = generate(rig.url, {}, keyed('k'));
    await arrived(rig, 2);
    rig.held[1]?.end(await imageText());
    expect([(await again).status, keyHeaders(await again).replayed]).toEqual([200, null]);
  });
});

describe('two gateways on one directory', () => {
  test.each([
    ['generation', generate],
    ['edit', edit],
  ] as const)('a %s that runs at one of them is joined, and later replayed, at the other', async (_, call) => {
    const dataDir = await temporaryDirectory();
    const publicBaseUrl = 'http://images.example';
    const one = await startHeld({ dataDir, publicBaseUrl });
    const other = await startHeld({ dataDir, publicBaseUrl });
    const first = call(one.url, {}, keyed('k'));
    await arrived(one, 1);
    const there = ['b64_json', 'url'].map((response_format) => call(other.url, { response_format }, keyed('k')));
    await joined(other, 2);
    const impatient = await call(other.url, {}, { ...keyed('k'), 'x-gateway-timeout-ms': '1000' });
    expect([impatient.status, impatient.json().error.code]).toEqual([409, 'idempotency_in_flight']);
    one.held[0]?.end(await imageText());
    const [joiner, linked] = await Promise.all(there);
    const made = await first;
    expect([joiner?.status, joiner?.text, joiner && keyHeaders(joiner)]).toEqual([200, made.text, keyHeaders(made)]);
    expect(linked?.json().data[0]?.url).toMatch(/^http:\/\/images\.example\//);
    const replayed = await call(other.url, {}, keyed('k'));
    expect([replayed.text, keyHeaders(replayed).replayed]).toEqual([made.text, 'true']);
    expect([one.upstream.received, other.upstream.received]).toEqual([1, 0]);
  });
});
