import { rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Stores } from '../../src/app.ts';
import { jobStoreFailure } from '../../src/storage/sql/operation-failure.ts';
import { startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { startStore } from '../end-to-end/store.ts';
import type { Called } from '../helpers/call-gateway.ts';
import { generate, imagesIn, keyed, keyHeaders, operations, startPaidOnce } from './paid-once.ts';

const patience = { timeout: 60_000 };

const image = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** That a request was refused because it could not be recorded, and that nothing was sent. */
function expectUnavailable(response: Called, code: string): void {
  expect([response.status, response.json().error.code]).toEqual([503, code]);
  expect(response.headers.get('x-should-retry')).toBe('false');
  expect(keyHeaders(response).replayed).toBeNull();
}

/** Stores whose jobs can be made to fail. */
function failing() {
  const failures = new Set<string>();
  let stores: Stores | undefined;
  const changeStores = (opened: Stores): Stores => {
    stores = opened;
    const jobs = new Proxy(opened.jobs, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (failures.has(String(name))) return () => Promise.reject(jobStoreFailure(new Error('the disk has failed')));
        return value.bind(target);
      },
    });
    return { ...opened, jobs };
  };
  return { failures, changeStores, stores: () => stores as Stores };
}

describe('a job store that is not available', () => {
  type Broken = { readonly dataDir: string; readonly stores: Stores; readonly failures: Set<string> };
  const breakages: readonly [string, (broken: Broken) => unknown][] = [
    ['is closed', ({ stores }) => stores.jobs.close()],
    ['has lost its directory', ({ dataDir }) => rm(dataDir, { recursive: true })],
    ['has lost its database', ({ dataDir }) => rm(join(dataDir, 'jobs.sqlite'))],
    ['takes no claim', ({ failures }) => failures.add('claim')],
    ['records no call', ({ failures }) => failures.add('dispatch')],
  ];

  test.each(
    breakages.flatMap(([name, breakIt]) =>
      Object.entries(operations).map(([op, call]) => [name, op, call, breakIt] as const),
    ),
  )('because it %s: nothing is sent: %s', async (_name, _op, call, breakIt) => {
    const { changeStores, stores, failures } = failing();
    const rig = await startPaidOnce({ changeStores, modelKeys: { maxRetries: 2 } });
    const first = await call(rig.url, {}, keyed('before'));
    await breakIt({ dataDir: rig.dataDir ?? '', stores: stores(), failures });
    expectUnavailable(await call(rig.url, {}, keyed('k')), 'store_unavailable');
    // A key that is known cannot be looked up: it must not buy again either.
    if (!failures.has('dispatch')) expectUnavailable(await call(rig.url, {}, keyed('before')), 'store_unavailable');
    expectUnavailable(await call(rig.url), 'store_unavailable');
    expect([first.status, rig.received]).toEqual([200, 1]);
    await expect.poll(() => rig.app.gateway.inFlight, patience).toBe(0);
    await expect.poll(() => rig.app.gateway.admission.heldBytes, patience).toBe(0);
  });

  test('because another program has locked it: nothing is sent', async () => {
    const rig = await startPaidOnce();
    const database = new DatabaseSync(join(rig.dataDir ?? '', 'jobs.sqlite'));
    onTestFinished(() => database.close());
    database.exec('begin immediate');
    expectUnavailable(await generate(rig.url, {}, keyed('k')), 'store_unavailable');
    database.exec('rollback');
    expect((await generate(rig.url, {}, keyed('k'))).status).toBe(200);
    expect(rig.received).toBe(1);
  });

  test('and works again runs the same key, once', async () => {
    const { changeStores, failures } = failing();
    const rig = await startPaidOnce({ changeStores });
    for (const failure of ['claim', 'dispatch']) {
      failures.add(failure);
      expectUnavailable(await generate(rig.url, {}, keyed('k')), 'store_unavailable');
      failures.clear();
    }
    const made = await generate(rig.url, {}, keyed('k'));
    expect([made.status, keyHeaders(made).replayed]).toEqual([200, null]);
    expect(keyHeaders(await generate(rig.url, {}, keyed('k'))).replayed).toBe('true');
    expect(rig.received).toBe(1);
  });

  test('while its thread is replaced loses nothing', async () => {
    const { changeStores } = failing();
    const workers: Worker[] = [];
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (this: Worker, ...sent) {
      if (!workers.includes(this)) workers.push(this);
      return post.apply(this, sent);
    };
    onTestFinished(() => {
      Worker.prototype.postMessage = post;
    });
    const rig = await startPaidOnce({ changeStores });
    const first = await generate(rig.url, {}, keyed('k'));
    expect(workers).toHaveLength(1);
    await workers[0]?.terminate();
    // The first one to notice may be refused.
    await expect.poll(async () => (await generate(rig.url, {}, keyed('k'))).text, patience).toBe(first.text);
    expect((await generate(rig.url, {}, keyed('k2'))).status).toBe(200);
    expect(rig.received).toBe(2);
  });

  test.each(['dall-e-2', 'later'])(
    'when accepted work of %s is to be recorded: it is not bought again',
    async (model) => {
      const { changeStores, failures } = failing();
      const rig = await startPaidOnce({ changeStores, modelKeys: { maxRetries: 2 } });
      const request = { model, ...(model === 'dall-e-2' && { size: '256x256' }) };
      failures.add('note');
      const first = await generate(rig.url, request, keyed('k'));
      const again = await generate(rig.url, request, keyed('k'));
      expect([again.status, again.text]).toEqual([first.status, first.text]);
      expect(keyHeaders(again)).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
      expect(rig.received).toBe(1);
    },
  );

  test('when the end is to be recorded: the response is delivered, and recorded later', async () => {
    const { changeStores, failures } = failing();
    const rig = await startPaidOnce({ changeStores });
    failures.add('finish');
    const first = await generate(rig.url, {}, keyed('k'));
    expect([first.status, keyHeaders(first).replayed]).toEqual([200, null]);
    expect((await generate(rig.url, {}, keyed('k'))).text).toBe(first.text);
    failures.clear();
    await expect.poll(() => rig.app.metrics(), patience).toContain('gateway_jobs{state="done"} 1');
    await rig.app.server.close();
    const next = await startPaidOnce({ dataDir: rig.dataDir });
    const replayed = await generate(next.url, {}, keyed('k'));
    expect([replayed.text, keyHeaders(replayed).replayed]).toEqual([first.text, 'true']);
    expect([rig.received, next.received]).toEqual([1, 0]);
  });
});

describe('a disk without room for images', () => {
  test.each(Object.entries(operations))('refuses requests with a key, and no others: %s', async (_, call) => {
    let freeBytes = 1_000_000;
    const { store } = await startStore({ freeBytes: async () => freeBytes, maxBytes: 1e9 });
    const rig = await startPaidOnce({ changeStores: (opened) => ({ ...opened, images: store }) });
    expectUnavailable(await call(rig.url, {}, keyed('k')), 'storage_full');
    expect(rig.received).toBe(0);
    expect((await call(rig.url)).status).toBe(200);
    freeBytes = 1e9;
    // The free space is asked for once per second.
    await expect.poll(async () => (await call(rig.url, {}, keyed('k'))).status, patience).toBe(200);
    expect(keyHeaders(await call(rig.url, {}, keyed('k'))).replayed).toBe('true');
    expect(rig.received).toBe(2);
  });

  test('because storeBytes is used up by what may not be evicted: replays go on', async () => {
    const { store } = await startStore({ maxBytes: 1_000 });
    const rig = await startPaidOnce({ changeStores: (opened) => ({ ...opened, images: store }) });
    const first = await generate(rig.url, {}, keyed('k'));
    expect(first.status).toBe(200);
    expectUnavailable(await generate(rig.url, {}, keyed('k2')), 'storage_full');
    expect((await generate(rig.url, {}, keyed('k'))).text).toBe(first.text);
    expect(await rig.app.metrics()).toMatch(/^gateway_store_fill_ratio [1-9]/m);
    expect(rig.received).toBe(1);
  });
});

describe('a disk that fails after the call was sent', () => {
  async function startHeld() {
    const held: ServerResponse[] = [];
    const upstream = await startUpstream((_request, response) => void held.push(response));
    const rig = await startPaidOnce({ origin: upstream.origin });
    return { rig, held, upstream };
  }

  test.each([
    ['before the first byte', 0],
    ['in the middle of the image', 100],
  ])('delivers the image, and has not kept it: %s', async (_, length) => {
    const { rig, held, upstream } = await startHeld();
    const calls = [generate(rig.url, {}, keyed('k')), generate(rig.url, { stream: true }, keyed('k'))];
    await expect.poll(() => held.length, patience).toBe(1);
    await expect.poll(() => rig.app.metrics(), patience).toContain('gateway_retries_arrived_total{end="joined"} 1');
    if (length > 0) held[0]?.write(image.slice(0, length));
    for (const name of ['arriving', 'images']) await rm(join(rig.dataDir ?? '', name), { recursive: true });
    held[0]?.end(image.slice(length));
    for (const response of await Promise.all(calls)) {
      expect([response.status, (await imagesIn(response))[0]?.toString('base64')]).toEqual([200, tinyPng]);
    }
    const again = await generate(rig.url, {}, keyed('k'));
    expect([again.status, again.json().error.code]).toEqual([410, 'idempotency_result_gone']);
    expect(upstream.received).toBe(1);
  });

  test('delivers it also when the directory is gone with the job store', async () => {
    const { rig, held, upstream } = await startHeld();
    const call = generate(rig.url, {}, keyed('k'));
    await expect.poll(() => held.length, patience).toBe(1);
    await rm(rig.dataDir ?? '', { recursive: true });
    held[0]?.end(image);
    expect((await call).status).toBe(200);
    expect(upstream.received).toBe(1);
  });
});

describe('without DATA_DIR', () => {
  const inMemory = (lingerMs: number) => startPaidOnce({ dataDir: undefined, times: { lingerMs } });

  test.each(Object.entries(operations))(
    'a key joins, and replays, and nothing is left on the disk: %s',
    async (_, call) => {
      const rig = await inMemory(60_000);
      const calls = Array.from({ length: 5 }, () => call(rig.url, { n: 2 }, keyed('k')));
      const responses = await Promise.all(calls);
      const { received } = rig;
      responses.push(await call(rig.url, { n: 2 }, keyed('k')));
      expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
      expect(new Set(responses.map(({ text }) => text)).size).toBe(1);
      expect(keyHeaders(responses[5] as Called).replayed).toBe('true');
      expect(rig.received).toBe(received);
      expect((await call(rig.url, { n: 3 }, keyed('k'))).status).toBe(422);
    },
  );

  test('a key is forgotten after lingerMs, and buys again', async () => {
    const rig = await inMemory(400);
    const first = await generate(rig.url, {}, keyed('k'));
    expect(keyHeaders(first).replayed).toBeNull();
    await expect
      .poll(async () => keyHeaders(await generate(rig.url, {}, keyed('k'))).job, patience)
      .not.toBe(keyHeaders(first).job);
    expect(rig.received).toBe(2);
  });

  test('another gateway knows nothing of it', async () => {
    const [one, other] = [await inMemory(60_000), await inMemory(60_000)];
    for (const { url } of [one, other]) expect(keyHeaders(await generate(url, {}, keyed('k'))).replayed).toBeNull();
    expect([one.received, other.received]).toEqual([1, 1]);
  });
});
