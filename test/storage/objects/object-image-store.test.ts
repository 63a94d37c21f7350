import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { UploadState } from '../../../src/domain/image-uploads.ts';
import { describeImageStore, numbered } from '../image-store-suite.ts';
import { filesIn, newId, png, put, readBack, receive } from '../store-directory.ts';
import { MemoryBucket } from './memory-bucket.ts';
import { openObjectStore } from './object-store-fixture.ts';

describeImageStore('an object image store', (settings) => openObjectStore(new MemoryBucket(), settings));

const bucketThat = (facts: Partial<MemoryBucket>) => Object.assign(new MemoryBucket(), facts);

describe('an upload', () => {
  test('is acknowledged before the image is stored, and leaves no local file', async () => {
    const bucket = new MemoryBucket();
    const store = await openObjectStore(bucket);
    const stored = await put(store, numbered(3_500), { isKept: true });
    expect(bucket.objects.get(`images/${stored.id}`)?.properties).toEqual({
      contentType: 'image/png',
      expiresAt: stored.expiresAt,
      isKept: true,
    });
    expect(await filesIn(store.directory)).toEqual([]);
    expect(store.usage.bytes).toBe(0);
  });

  test('begins while the image arrives', async () => {
    const bucket = new MemoryBucket();
    const store = await openObjectStore(bucket);
    const arriving = receive(store);
    await arriving.write(numbered(2_500));
    await expect.poll(() => bucket.requests).toEqual(['part', 'part']);
    await arriving.write(png(600));
    await expect.poll(() => bucket.requests).toHaveLength(3);
    await arriving.commit();
    expect(bucket.requests).toEqual(['part', 'part', 'part', 'part', 'commit']);
  });

  test('of a small image is one request', async () => {
    const bucket = new MemoryBucket();
    await put(await openObjectStore(bucket), png(1_000));
    expect(bucket.requests).toEqual(['put']);
  });

  test('never takes place of a partial image, and ends with an image that is discarded', async () => {
    const bucket = new MemoryBucket();
    const store = await openObjectStore(bucket);
    const partial = store.receive(newId(), { isKept: true, isPartial: true });
    await partial.write(numbered(5_000));
    await partial.close();
    expect(bucket.requests).toEqual([]);
    const arriving = receive(store);
    await arriving.write(numbered(5_000));
    await expect.poll(() => bucket.requests.length).toBeGreaterThan(0);
    await arriving.discard();
    await expect.poll(() => bucket.aborted).toBe(1);
    expect([bucket.objects.size, await filesIn(store.directory)]).toEqual([0, []]);
  });

  test('of 100 images of 8 MB at once has no more than 32 MiB in memory', async () => {
    const bucket = bucketThat({ partBytes: 1024 * 1024 });
    bucket.put = async () => {};
    bucket.before = () => new Promise(setImmediate);
    const store = await openObjectStore(bucket);
    const image = numbered(8_000_000);
    const pieces = Array.from({ length: 16 }, (_, at) => image.subarray(at * 500_000, (at + 1) * 500_000));
    // What the bucket holds is not of interest here.
    const upload = bucket.upload.bind(bucket);
    bucket.upload = (name, properties) => {
      const { add, abort } = upload(name, properties);
      return { add: (part, signal) => add(part.subarray(0), signal).then(() => {}), abort, commit: async () => {} };
    };
    await Promise.all(Array.from({ length: 100 }, () => put(store, pieces)));
    expect(bucket.mostSending).toBeGreaterThan(1024 * 1024);
    expect(bucket.mostSending).toBeLessThanOrEqual(32 * 1024 * 1024);
  });
});

describe('an object store that fails', () => {
  test.for([403, 404, 503])('with %i keeps images in the directory, and has them later', async (status) => {
    const bucket = bucketThat({ status });
    const store = await openObjectStore(bucket);
    const states: UploadState[] = [];
    store.uploads.watch((state) => states.push(state));
    const images = await Promise.all([put(store, numbered(3_000)), put(store, png(200)), put(store, png(300))]);
    expect(store.uploads.pending).toBe(3);
    expect(await readdir(store.images)).toHaveLength(3);
    expect(await readBack(store, images[1]?.id ?? '')).toEqual(png(200));
    bucket.status = undefined;
    await expect.poll(() => store.uploads.pending).toBe(0);
    await expect.poll(() => readdir(store.images)).toEqual([]);
    for (const { id, expiresAt } of images) expect(await store.open(id)).toMatchObject({ expiresAt });
    expect(await readBack(store, images[0]?.id ?? '')).toEqual(numbered(3_000));
    // Once for the failure, however many images there are, and once for its end.
    const lastError = `the object store responded ${status} (Injected)`;
    expect(states.map((state) => state.lastError)).toEqual([lastError, undefined]);
    expect(store.uploads.failed).toBeGreaterThan(0);
  });

  test('to respond in time holds no image up for longer than that, and further ones not at all', async () => {
    const bucket = new MemoryBucket();
    const { promise, resolve } = Promise.withResolvers<void>();
    bucket.before = () => promise;
    const store = await openObjectStore(bucket, { times: { acknowledgeMs: 50, pauseMs: 3_600_000 } });
    const first = await put(store, png(100));
    const begun = bucket.requests.length;
    const second = await put(store, png(200));
    expect(bucket.requests).toHaveLength(begun);
    expect(store.uploads.pending).toBe(2);
    expect(await readBack(store, first.id)).toEqual(png(100));
    expect(await readBack(store, second.id)).toEqual(png(200));
    resolve();
    // What was sent is not sent again, and what waits is sent at once.
    await expect.poll(() => store.uploads.pending).toBe(0);
    expect(bucket.requests.filter((request) => request === 'put')).toHaveLength(2);
    expect(await readBack(store, first.id)).toEqual(png(100));
    expect(await readdir(store.images)).toEqual([]);
  });

  test('in the middle of an image gets all of it later', async () => {
    const bucket = new MemoryBucket();
    const store = await openObjectStore(bucket);
    const image = numbered(5_500);
    const arriving = receive(store);
    await arriving.write(image.subarray(0, 2_500));
    await expect.poll(() => bucket.requests).toHaveLength(2);
    bucket.status = 503;
    await arriving.write(image.subarray(2_500));
    const { id } = await arriving.commit();
    expect(store.uploads.pending).toBe(1);
    bucket.status = undefined;
    await expect.poll(() => store.uploads.pending).toBe(0);
    expect(bucket.objects.get(`images/${id}`)?.bytes.equals(image)).toBe(true);
    expect(bucket.aborted).toBe(1);
  });

  test('gets what waits after a restart', async () => {
    const bucket = bucketThat({ status: 503 });
    const before = await openObjectStore(bucket);
    const { id } = await put(before, numbered(4_000));
    await before.close();
    bucket.status = undefined;
    const after = await openObjectStore(bucket, { directory: before.directory });
    await expect.poll(() => after.uploads.pending).toBe(0);
    expect(await readdir(after.images)).toEqual([]);
    expect(await readBack(after, id)).toEqual(numbered(4_000));
  });

  test('is not said to have no image: what cannot be asked for is store_unavailable', async () => {
    const bucket = new MemoryBucket();
    const store = await openObjectStore(bucket);
    const { id } = await put(store);
    bucket.status = 503;
    await expect(store.open(id)).rejects.toMatchObject({ kind: 'store_unavailable' });
    await store.remove([id]);
    bucket.status = undefined;
    const opened = await store.open(id);
    bucket.status = 503;
    await expect(opened && buffer(opened.read())).rejects.toMatchObject({ kind: 'store_unavailable' });
    bucket.status = undefined;
    expect(await store.open(id)).toBeDefined();
  });

  test('refuses new images once the directory is full of those that wait', async () => {
    const bucket = bucketThat({ status: 503 });
    const store = await openObjectStore(bucket, { maxBytes: 500 });
    await put(store, png(600), { isKept: true });
    await expect(store.makeRoom()).rejects.toMatchObject({ kind: 'storage_full' });
    bucket.status = undefined;
    await expect.poll(() => store.uploads.pending).toBe(0);
    await store.makeRoom();
  });

  test('for one image alone does not keep others from being uploaded', async () => {
    const bucket = bucketThat({ status: 503 });
    const store = await openObjectStore(bucket);
    const bad = await put(store, png(100));
    const good = await put(store, png(200));
    const original = bucket.put.bind(bucket);
    bucket.put = (name, ...rest) =>
      name.endsWith(bad.id) ? Promise.reject(new Error('refused')) : original(name, ...rest);
    bucket.status = undefined;
    await expect.poll(() => bucket.objects.has(`images/${good.id}`)).toBe(true);
    await expect.poll(() => store.uploads.pending).toBe(1);
  });
});

describe('an image', () => {
  test('that is uploaded between its opening and its reading is read from the object store', async () => {
    const bucket = bucketThat({ status: 503 });
    const store = await openObjectStore(bucket);
    const { id } = await put(store, png(500));
    const opened = await store.open(id);
    bucket.status = undefined;
    await expect.poll(() => readdir(store.images)).toEqual([]);
    expect(opened && (await buffer(opened.read({ first: 10, last: 19 })))).toEqual(png(500).subarray(10, 20));
  });

  test('that is removed while it is uploaded stays nowhere', async () => {
    const bucket = new MemoryBucket();
    const store = await openObjectStore(bucket);
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = newId();
    bucket.before = (operation) => (operation === 'put' ? promise : Promise.resolve());
    const storing = put(store, png(), { id });
    await expect.poll(() => bucket.requests).toContain('put');
    await store.remove([id]);
    resolve();
    await storing;
    expect([bucket.objects.size, store.uploads.pending, await filesIn(store.directory)]).toEqual([0, 0, []]);
  });

  test('that somebody else has put there is served as an image or not at all', async () => {
    const bucket = new MemoryBucket();
    const store = await openObjectStore(bucket);
    const expiresAt = Date.now() + 100_000;
    for (const contentType of ['image/svg+xml', 'text/html']) {
      const id = newId();
      const properties = { contentType, expiresAt, isKept: false };
      await bucket.put(`images/${id}`, Buffer.from('<script>'), properties, AbortSignal.any([]));
      expect(await store.open(id)).toBeUndefined();
    }
  });

  test('has a signed link once it is uploaded, and none while links cannot be signed', async () => {
    const bucket = bucketThat({ status: 503 });
    const store = await openObjectStore(bucket);
    const image = await put(store);
    expect(await store.linkTo(image)).toBeUndefined();
    bucket.status = undefined;
    await expect.poll(() => store.uploads.pending).toBe(0);
    expect(await store.linkTo(image)).toBe(`https://store.test/images/${image.id}?until=${image.expiresAt}`);
    bucket.status = 403;
    expect(await store.linkTo(image)).toBeUndefined();
  });
});
