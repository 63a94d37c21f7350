import { statfs } from 'node:fs/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { ImageStore, StoredImage } from '../../src/domain/image-store.ts';
import { filesIn, openStore, png, put } from './store-directory.ts';

// The pauses between listings, a hundredth as long.
vi.mock('../../src/concurrency/pause.ts', async (importActual) => {
  const { pause } = await importActual<typeof import('../../src/concurrency/pause.ts')>();
  return { pause: (ms: number, signal: AbortSignal) => pause(ms / 100, signal) };
});
afterEach(() => void vi.useRealTimers());

const storageFull = {
  kind: 'storage_full',
  outcome: 'not-processed',
  message: "The gateway's image store is full. Nothing was sent to the image service.",
};

const mebibyte = 1024 * 1024;

const kept = (store: ImageStore) => put(store, png(100), { isKept: true });
const hosted = (store: ImageStore) => put(store, png(100));

async function present(store: ImageStore, ...images: readonly StoredImage[]): Promise<boolean[]> {
  const opened = [];
  for (const { id } of images) opened.push((await store.open(id)) !== undefined);
  return opened;
}

test('what has expired goes first, then hosted images, then kept ones that may go, each from the oldest on', async () => {
  let now = 0;
  const store = await openStore({ now: () => now, lifetimeMs: 1_000, maxBytes: 801 });
  const delivered = [await kept(store), await kept(store)];
  const links = [await hosted(store), await hosted(store)];
  store.resize({ lifetimeMs: 10, maxBytes: 801 });
  const expiring = [await kept(store), await hosted(store)];
  store.resize({ lifetimeMs: 1_000, maxBytes: 801 });
  const undelivered = await kept(store);
  const last = await hosted(store);
  now = 50;
  store.mayEvict([delivered[1]?.id ?? '', delivered[0]?.id ?? ''], 40);
  store.mayEvict([undelivered.id], 51);

  // Of the limit, so many bytes are too much in each step; expired ones go all at once.
  const all = [...expiring, ...links, last, ...delivered, undelivered];
  const left = [];
  for (const maxBytes of [801, 800, 600, 500, 400, 300, 200, 101]) {
    store.resize({ lifetimeMs: 1_000, maxBytes });
    await store.makeRoom();
    left.push((await present(store, ...all)).map(Number).join(''));
  }
  expect(left).toEqual([
    '00111111',
    '00111111',
    '00011111',
    '00001111',
    '00000111',
    '00000011',
    '00000001',
    '00000001',
  ]);
  expect(await filesIn(store.directory)).toHaveLength(1);
  store.resize({ maxBytes: 100 });
  await expect(store.makeRoom()).rejects.toMatchObject(storageFull);
  now = 51;
  await store.makeRoom();
  expect(store.usage.bytes).toBe(0);
});

test('an image is kept until the time from which it may be evicted, and a later time replaces an earlier one', async () => {
  let now = 0;
  const store = await openStore({ now: () => now, maxBytes: 100 });
  const image = await kept(store);
  store.mayEvict([image.id], 10);
  store.mayEvict([image.id], 20);
  now = 19;
  await expect(store.makeRoom()).rejects.toMatchObject(storageFull);
  expect(await present(store, image)).toEqual([true]);
  now = 20;
  await store.makeRoom();
  expect(await present(store, image)).toEqual([false]);
});

test('committing more than the limit evicts what may be evicted, and never fails for kept images', async () => {
  const store = await openStore({ maxBytes: 250 });
  const link = await hosted(store);
  const images = [await kept(store), await kept(store), await kept(store), await kept(store)];
  expect(await present(store, link, ...images)).toEqual([false, true, true, true, true]);
  expect(store.usage).toEqual({ bytes: 400, evictableBytes: 0, maxBytes: 250 });
  await expect(store.makeRoom()).rejects.toMatchObject(storageFull);
});

test('a hosted image is not evicted by its own commit, but by the next one', async () => {
  const store = await openStore({ maxBytes: 250 });
  await kept(store);
  await kept(store);
  await kept(store);
  const first = await hosted(store);
  expect(await present(store, first)).toEqual([true]);
  const second = await hosted(store);
  expect(await present(store, first, second)).toEqual([false, true]);
});

test('images whose eviction was announced before they were known may be evicted', async () => {
  const store = await openStore({ maxBytes: 100 });
  const id = 'A'.repeat(24);
  store.mayEvict([id], 0);
  await put(store, png(100), { id, isKept: true });
  await store.makeRoom();
  expect(store.usage.bytes).toBe(0);
});

test('the usage says what there is, what of it may be evicted, and the limit', async () => {
  let now = 0;
  const store = await openStore({ now: () => now, maxBytes: 1_000, lifetimeMs: 100 });
  const [one, other] = [await kept(store), await kept(store)];
  await put(store, png(50));
  store.mayEvict([one.id], 10);
  expect(store.usage).toEqual({ bytes: 250, evictableBytes: 50, maxBytes: 1_000 });
  now = 10;
  expect(store.usage).toEqual({ bytes: 250, evictableBytes: 150, maxBytes: 1_000 });
  now = other.expiresAt;
  expect(store.usage).toEqual({ bytes: 250, evictableBytes: 250, maxBytes: 1_000 });
});

test('by default the store takes 80 % of what the disk has left and of what it holds itself', async () => {
  const first = await openStore({ freeBytes: async () => 10_000 });
  await put(first, png(1_000));
  expect(first.usage.maxBytes).toBe(8_000);
  await first.close();
  const second = await openStore({ directory: first.directory, freeBytes: async () => 9_000 });
  expect(second.usage.maxBytes).toBe(8_000);
  second.resize({ maxBytes: 500 });
  expect(second.usage.maxBytes).toBe(500);
  second.resize({});
  expect(second.usage.maxBytes).toBe(8_000);
});

test('the real disk is asked by default', async () => {
  const { usage, directory } = await openStore();
  const { blocks, bsize } = await statfs(directory);
  expect(usage.maxBytes).toBeGreaterThan(0);
  expect(usage.maxBytes).toBeLessThan(blocks * bsize);
});

test('a disk that is nearly full makes no room, unless images can be evicted', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let free = 64 * mebibyte;
  const store = await openStore({ maxBytes: 10 * mebibyte, freeBytes: async () => free });
  await store.makeRoom();
  const links = [await hosted(store), await hosted(store)];
  await kept(store);
  free -= 100;
  vi.advanceTimersByTime(1_000);
  await store.makeRoom();
  expect(await present(store, ...links)).toEqual([false, true]);
  vi.advanceTimersByTime(1_000);
  await store.makeRoom();
  expect(await present(store, ...links)).toEqual([false, false]);
  vi.advanceTimersByTime(1_000);
  await expect(store.makeRoom()).rejects.toMatchObject(storageFull);
  free += 100;
  await expect(store.makeRoom()).rejects.toMatchObject(storageFull);
  vi.advanceTimersByTime(1_000);
  await store.makeRoom();
});

test('several who need room at the same time evict no more than one', async () => {
  const store = await openStore({ maxBytes: 10 * mebibyte, freeBytes: async () => 64 * mebibyte - 50 });
  const images = [await hosted(store), await hosted(store), await hosted(store)];
  await Promise.all([store.makeRoom(), store.makeRoom(), store.makeRoom()]);
  expect(await present(store, ...images)).toEqual([false, true, true]);
  store.resize({ maxBytes: 200 });
  await Promise.all([store.makeRoom(), store.makeRoom(), store.makeRoom()]);
  expect(await present(store, ...images)).toEqual([false, false, true]);
});

test('the disk is asked at most once per second', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let asked = 0;
  const freeBytes = async () => {
    asked += 1;
    return 1_000 * mebibyte;
  };
  const store = await openStore({ maxBytes: mebibyte, freeBytes });
  asked = 0;
  await Promise.all([store.makeRoom(), store.makeRoom()]);
  vi.advanceTimersByTime(999);
  await store.makeRoom();
  expect(asked).toBe(1);
  vi.advanceTimersByTime(1);
  await store.makeRoom();
  expect(asked).toBe(2);
});

test('a disk that does not say what it has left makes no room', async () => {
  let isBroken = false;
  const freeBytes = async () => {
    if (isBroken) throw new Error('broken');
    return 1_000 * mebibyte;
  };
  const store = await openStore({ freeBytes });
  isBroken = true;
  await expect(store.makeRoom()).rejects.toMatchObject({ kind: 'store_unavailable', outcome: 'not-processed' });
});
