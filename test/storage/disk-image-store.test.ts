import { once } from 'node:events';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createDiskImageStore } from '../../src/storage/disk-image-store.ts';
import { cut, handwriting } from '../helpers/json-text.ts';
import { describeImageStore } from './image-store-suite.ts';
import { filesIn, newId, openStore, png, put, readBack, receive, storeDirectory } from './store-directory.ts';

const headers = {
  'image/png': '\x89PNG\r\n\x1a\n',
  'image/jpeg': '\xff\xd8\xff',
  'image/gif': 'GIF89a',
  'image/webp': 'RIFF\x10\0\0\0WEBP',
};

describeImageStore('a disk image store', openStore);

test('any bytes with the header of an image come back identical, however they are cut', async () => {
  const store = await openStore();
  const image = fc
    .tuple(fc.constantFrom(...Object.values(headers)), fc.uint8Array({ maxLength: 3_000 }))
    .map(([header, rest]) => Buffer.concat([Buffer.from(header, 'latin1'), rest]));
  await fc.assert(
    fc.asyncProperty(image, handwriting, async (bytes, hand) => {
      const pieces = cut(bytes, hand).flatMap((piece) => (hand.dice() < 0.1 ? [Buffer.alloc(0), piece] : [piece]));
      const { id, length } = await put(store, pieces);
      expect(length).toBe(bytes.length);
      expect(await readBack(store, id)).toEqual(bytes);
    }),
  );
});

test('images that arrive at the same time have a file each', async () => {
  const store = await openStore();
  await Promise.all(Array.from({ length: 50 }, () => put(store)));
  expect(await filesIn(store.directory)).toHaveLength(50);
});

test('the directories are 0700 and the files 0600', async () => {
  const directory = join(await storeDirectory(), 'new', 'data');
  const store = await openStore({ directory });
  await put(store);
  await receive(store).write(png());
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  const [name = ''] = await readdir(join(directory, 'images'));
  const [arriving = ''] = await readdir(join(directory, 'arriving'));
  expect(await mode(directory)).toBe('700');
  expect(await mode(join(directory, 'images'))).toBe('700');
  expect(await mode(join(directory, 'arriving'))).toBe('700');
  expect(await mode(join(directory, 'images', name))).toBe('600');
  expect(await mode(join(directory, 'arriving', arriving))).toBe('600');
});

test('the regular sweep removes expired images, and close ends it', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    let now = Date.now();
    const store = await openStore({ now: () => now });
    await put(store);
    now += 20 * 60 * 60_000;
    const { id } = await put(store);
    now += 5 * 60 * 60_000;
    vi.advanceTimersByTime(5 * 60_000);
    await vi.waitFor(async () => expect(await filesIn(store.directory)).toHaveLength(1));
    expect(await store.open(id)).toBeDefined();
    await store.close();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('an image that is being read when it is evicted is read to its end', async () => {
  const store = await openStore({ maxBytes: 1_000_000 });
  const image = png(900_000);
  const { id } = await put(store, image);
  const reading = (await store.open(id))?.read();
  if (reading === undefined) throw new Error('it is stored');
  await once(reading, 'open');
  await put(store, png(900_000, 9));
  expect(await store.open(id)).toBeUndefined();
  expect(await filesIn(store.directory)).toHaveLength(1);
  expect((await buffer(reading)).equals(image)).toBe(true);
});

test('an image that was removed from outside is unknown', async () => {
  const store = await openStore();
  const { id } = await put(store);
  await rm(join(store.directory, 'images'), { recursive: true });
  expect(await store.open(id)).toBeUndefined();
});

test.for(['', 'images'])('a store does not start where a file stands in place of its directory %s', async (part) => {
  const directory = await storeDirectory();
  const path = join(directory, 'store', part);
  if (part !== '') await mkdir(join(directory, 'store'));
  await writeFile(path, '');
  await expect(createDiskImageStore({ directory: join(directory, 'store') })).rejects.toThrow(/EEXIST|ENOTDIR/);
});

test('an image is named by its record, which says whether it is kept', async () => {
  const store = await openStore({ now: () => 1_000.4, lifetimeMs: 500 });
  const [hosted, kept] = [newId(), newId()];
  await put(store, png(100), { id: hosted });
  await put(store, png(200), { id: kept, isKept: true });
  expect((await filesIn(store.directory)).sort()).toEqual(
    [`${hosted}.1500.100.png`, `${kept}.1500.200.kept.png`].sort(),
  );
});

test.for(['', '../../../etc/passwd12345', `${'A'.repeat(23)}/`, 'A'.repeat(25)])(
  'no image gets the id %j',
  async (id) => {
    const store = await openStore();
    expect(() => store.receive(id, { isKept: false })).toThrow(TypeError);
  },
);

test('an image that is stored again under its id replaces the earlier one', async () => {
  let now = 1_000;
  const store = await openStore({ now: () => now });
  const id = newId();
  await put(store, png(100), { id, isKept: true });
  now += 1;
  await put(store, png(100), { id, isKept: true });
  expect(await filesIn(store.directory)).toHaveLength(1);
  expect(await readBack(store, id)).toEqual(png(100));
  expect(store.usage.bytes).toBe(100);
});

test('a shorter lifetime counts for new images only', async () => {
  const store = await openStore({ now: () => 1_000, lifetimeMs: 500 });
  const before = await put(store);
  store.resize({ lifetimeMs: 100 });
  expect((await put(store)).expiresAt).toBe(1_100);
  expect(await store.open(before.id)).toMatchObject({ expiresAt: 1_500 });
  store.resize({});
  expect((await put(store)).expiresAt).toBe(1_000 + 24 * 60 * 60_000);
});
