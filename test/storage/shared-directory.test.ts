import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { filesIn, newId, openStore, png, put, readBack, receive } from './store-directory.ts';

// The pauses between listings, a hundredth as long.
vi.mock('../../src/concurrency/pause.ts', async (importActual) => {
  const { pause } = await importActual<typeof import('../../src/concurrency/pause.ts')>();
  return { pause: (ms: number, signal: AbortSignal) => pause(ms / 100, signal) };
});

type Disk = typeof import('node:fs/promises');

const listings = vi.hoisted(() => ({ count: 0 }));
vi.mock('node:fs/promises', async (importActual) => {
  const real = await importActual<Disk>();
  const counted = (path: string, ...rest: []) => {
    if (path.endsWith('/images') && rest.length === 0) listings.count += 1;
    return real.readdir(path, ...rest);
  };
  return { ...real, readdir: counted };
});

const minutes = 60_000;

async function openTwo(options: Parameters<typeof openStore>[0] = {}) {
  const one = await openStore(options);
  return { one, other: await openStore({ ...options, directory: one.directory }) };
}

test('an image that another process has stored is found by its id, again and again', async () => {
  const { one, other } = await openTwo();
  for (const isKept of [true, false, true]) {
    const { id } = await put(one, png(), { isKept });
    expect(await readBack(other, id)).toEqual(png());
  }
  expect(other.usage).toMatchObject({ bytes: 300, evictableBytes: 100 });
});

test('guessed ids wait for one listing together, whatever their number', async () => {
  const { one } = await openTwo();
  listings.count = 0;
  const opened = await Promise.all(Array.from({ length: 100 }, () => one.open(newId())));
  expect(opened).toEqual(opened.map(() => undefined));
  expect(listings.count).toBe(1);
  for (const id of ['', '..', 'x'.repeat(23), `${newId()}.png`]) expect(await one.open(id)).toBeUndefined();
  expect(listings.count).toBe(1);
});

test('known ids list nothing, and neither do expired ones', async () => {
  let now = 0;
  const { one } = await openTwo({ now: () => now, lifetimeMs: 100 });
  const { id } = await put(one);
  listings.count = 0;
  expect(await one.open(id)).toBeDefined();
  now = 100;
  expect(await one.open(id)).toBeUndefined();
  expect(listings.count).toBe(0);
});

test('what another process has evicted is unknown here, too, and no longer counts', async () => {
  const { one, other } = await openTwo();
  const { id } = await put(one);
  expect(await other.open(id)).toBeDefined();
  other.resize({ maxBytes: 50 });
  await other.makeRoom();
  expect(one.usage.bytes).toBe(100);
  expect(await one.open(id)).toBeUndefined();
  expect(one.usage.bytes).toBe(0);
});

test('a store is not full because of images that another process has removed', async () => {
  const { one, other } = await openTwo({ maxBytes: 100 });
  const { id } = await put(one, png(), { isKept: true });
  expect(await other.open(id)).toBeDefined();
  other.mayEvict([id], 0);
  await other.makeRoom();
  await one.makeRoom();
  expect(one.usage.bytes).toBe(0);
});

test('an image of another process is evicted only when that was announced here', async () => {
  const { one, other } = await openTwo({ maxBytes: 100 });
  const { id } = await put(one, png(), { isKept: true });
  other.mayEvict([id], 0);
  await put(other, png(), { isKept: true });
  expect(await other.open(id)).toBeDefined();
  await other.makeRoom().catch(() => {});
  expect(await one.open(id)).toBeUndefined();
});

test('the regular sweep adopts images of other processes, and removes them when they expire', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    let now = 0;
    const { one, other } = await openTwo({ now: () => now, lifetimeMs: 100 });
    await put(one, png(), { isKept: true });
    await one.close();
    vi.advanceTimersByTime(5 * minutes);
    await vi.waitFor(() => expect(other.usage.bytes).toBe(100));
    now = 100;
    vi.advanceTimersByTime(5 * minutes);
    await vi.waitFor(async () => expect(await filesIn(one.directory)).toEqual([]));
  } finally {
    vi.useRealTimers();
  }
});

test('announced evictions of images that never come are forgotten', async () => {
  const { one } = await openTwo({ maxBytes: 50 });
  const id = newId();
  one.mayEvict([id], 0);
  expect(await one.open(id)).toBeUndefined();
  await put(one, png(), { id, isKept: true });
  expect(one.usage).toMatchObject({ bytes: 100, evictableBytes: 0 });
});

test('of an image that both have stored, one file stays, and both serve it', async () => {
  let now = 1_000;
  const { one, other } = await openTwo({ now: () => now });
  const id = newId();
  const [first, second] = [receive(one, id), receive(other, id)];
  await first.write(png());
  await second.write(png());
  await first.commit();
  now += 1;
  await second.commit();
  expect(await filesIn(one.directory)).toHaveLength(2);
  for (const store of [one, other, one]) {
    await store.open(newId());
    expect(await readBack(store, id)).toEqual(png());
    expect(store.usage.bytes).toBe(100);
  }
  expect(await filesIn(one.directory)).toHaveLength(1);
});

test('what one process writes, another one that starts does not remove', async () => {
  const one = await openStore();
  const arriving = receive(one);
  await arriving.write(png());
  const other = await openStore({ directory: one.directory });
  const { id } = await arriving.commit();
  expect(await readBack(other, id)).toEqual(png());
});

test('a directory that is gone holds no images', async () => {
  const { one } = await openTwo();
  const { id } = await put(one);
  await rm(join(one.directory), { recursive: true });
  expect(await one.open(id)).toBeUndefined();
  expect(await one.open(newId())).toBeUndefined();
  expect(one.usage.bytes).toBe(0);
});

test('closing ends the wait for a listing', async () => {
  const { one } = await openTwo();
  await one.open(newId());
  const opening = one.open(newId());
  await one.close();
  expect(await opening).toBeUndefined();
  expect(await readdir(join(one.directory, 'images'))).toEqual([]);
});
