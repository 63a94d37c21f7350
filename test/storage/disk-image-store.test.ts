import { once } from 'node:events';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createDiskImageStore } from '../../src/storage/disk-image-store.ts';
import { cut, handwriting } from '../helpers/json-text.ts';
import { chunks, filesIn, openStore, png, readBack, storeDirectory } from './store-directory.ts';

const headers = {
  'image/png': '\x89PNG\r\n\x1a\n',
  'image/jpeg': '\xff\xd8\xff',
  'image/gif': 'GIF89a',
  'image/webp': 'RIFF\x10\0\0\0WEBP',
};

test.for(Object.entries(headers))('an image of type %s comes back as it was stored', async ([mediaType, header]) => {
  const store = await openStore({ now: () => 1_000, lifetimeMs: 500 });
  const image = Buffer.concat([Buffer.from(header, 'latin1'), Buffer.alloc(50_000, 'x')]);
  const stored = await store.put(chunks(image));
  expect(stored).toEqual({
    id: expect.stringMatching(/^[\w-]{24}$/),
    mediaType,
    length: image.length,
    tag: expect.stringMatching(/^[\w-]{43}$/),
    expiresAt: 1_500,
  });
  expect(await store.open(stored.id)).toMatchObject(stored);
  expect(await readBack(store, stored.id)).toEqual(image);
});

test('any bytes with the header of an image come back identical, however they are cut', async () => {
  const store = await openStore();
  const image = fc
    .tuple(fc.constantFrom(...Object.values(headers)), fc.uint8Array({ maxLength: 3_000 }))
    .map(([header, rest]) => Buffer.concat([Buffer.from(header, 'latin1'), rest]));
  await fc.assert(
    fc.asyncProperty(image, handwriting, async (bytes, hand) => {
      const pieces = cut(bytes, hand).flatMap((piece) => (hand.dice() < 0.1 ? [Buffer.alloc(0), piece] : [piece]));
      const { id, length } = await store.put(chunks(...pieces));
      expect(length).toBe(bytes.length);
      expect(await readBack(store, id)).toEqual(bytes);
    }),
  );
});

test.for([
  { first: 0, last: 0 },
  { first: 0, last: 99 },
  { first: 10, last: 19 },
  { first: 99, last: 99 },
])('the range $first to $last is read with both its ends', async (range) => {
  const store = await openStore();
  const image = png(100);
  for (let at = 8; at < 100; at += 1) image[at] = at;
  const { id } = await store.put(chunks(image));
  expect(await readBack(store, id, range)).toEqual(image.subarray(range.first, range.last + 1));
});

test('equal bytes have equal tags and different ids', async () => {
  const store = await openStore();
  const one = await store.put(chunks(png()));
  const same = await store.put(chunks(png().subarray(0, 3), png().subarray(3)));
  const other = await store.put(chunks(png(100, 8)));
  expect(one.tag).toBe(same.tag);
  expect(one.tag).not.toBe(other.tag);
  expect(new Set([one.id, same.id, other.id]).size).toBe(3);
});

test('images that arrive at the same time do not mix', async () => {
  const store = await openStore();
  const images = Array.from({ length: 50 }, (_, fill) => png(20_000, fill));
  const stored = await Promise.all(
    images.map((image) => store.put(chunks(image.subarray(0, 7_000), image.subarray(7_000)))),
  );
  for (const [at, { id }] of stored.entries()) expect(await readBack(store, id)).toEqual(images[at]);
  expect(await filesIn(store.directory)).toHaveLength(50);
});

test('the next chunk is read from the source only when the last one is written', async () => {
  const store = await openStore();
  let requested = 0;
  async function* source() {
    for (const part of [png(), Buffer.alloc(1_000), Buffer.alloc(1_000)]) {
      const [arriving] = await readdir(join(store.directory, 'arriving'));
      const written = arriving ? (await stat(join(store.directory, 'arriving', arriving))).size : 0;
      expect(written).toBe(requested);
      requested += part.length;
      yield part;
    }
  }
  await store.put(source());
});

test('the directories are 0700 and the files 0600', async () => {
  const directory = join(await storeDirectory(), 'new', 'data');
  const store = await openStore({ directory });
  await store.put(chunks(png()));
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  const [name = ''] = await readdir(join(directory, 'images'));
  expect(await mode(directory)).toBe('700');
  expect(await mode(join(directory, 'images'))).toBe('700');
  expect(await mode(join(directory, 'arriving'))).toBe('700');
  expect(await mode(join(directory, 'images', name))).toBe('600');
});

test('an expired image is refused at once', async () => {
  let now = 1_000;
  const store = await openStore({ now: () => now, lifetimeMs: 500 });
  const { id } = await store.put(chunks(png()));
  now = 1_499;
  expect(await store.open(id)).toBeDefined();
  now = 1_500;
  expect(await store.open(id)).toBeUndefined();
});

test('the regular sweep removes expired images, and close ends it', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    let now = Date.now();
    const store = await openStore({ now: () => now });
    await store.put(chunks(png()));
    now += 20 * 60 * 60_000;
    const { id } = await store.put(chunks(png()));
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

test('a store that is too full loses the expired images first, then the oldest', async () => {
  let now = 0;
  let lifetimeMs = 1_000;
  const directory = await storeDirectory();
  const put = async () => {
    const store = await createDiskImageStore({ directory, maxBytes: 350, now: () => now, lifetimeMs });
    const { id } = await store.put(chunks(png(100)));
    await store.close();
    await wait(10); // for modification times that differ
    return id;
  };
  const first = await put();
  lifetimeMs = 10;
  const shortLived = await put();
  lifetimeMs = 1_000;
  const third = await put();

  const store = await openStore({ directory, maxBytes: 350, now: () => now, lifetimeMs });
  const present = async (...ids: string[]) => Promise.all(ids.map(async (id) => (await store.open(id)) !== undefined));
  now = 20;
  const fourth = (await store.put(chunks(png(100)))).id;
  expect(await present(first, shortLived, third, fourth)).toEqual([true, false, true, true]);
  const fifth = (await store.put(chunks(png(100)))).id;
  expect(await present(first, third, fourth, fifth)).toEqual([false, true, true, true]);
  const large = (await store.put(chunks(png(250)))).id;
  expect(await present(third, fourth, fifth, large)).toEqual([false, false, true, true]);
  expect(await filesIn(directory)).toHaveLength(2);
});

test('an image that is being read when it is evicted is read to its end', async () => {
  const store = await openStore({ maxBytes: 1_000_000 });
  const image = png(900_000);
  const { id } = await store.put(chunks(image));
  const reading = (await store.open(id))?.read();
  if (reading === undefined) throw new Error('it is stored');
  await once(reading, 'open');
  await store.put(chunks(png(900_000, 9)));
  expect(await store.open(id)).toBeUndefined();
  expect(await filesIn(store.directory)).toHaveLength(1);
  expect((await buffer(reading)).equals(image)).toBe(true);
});

test('an image that was removed from outside is unknown', async () => {
  const store = await openStore();
  const { id } = await store.put(chunks(png()));
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
