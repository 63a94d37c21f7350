import { createHash } from 'node:crypto';
import { readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { InputStore, OpenInputStore } from '../../src/domain/image-input.ts';
import { createTemporaryInputStores, prepareInputDirectory } from '../../src/storage/temporary-input-store.ts';
import { openFiles, temporaryDirectory } from '../end-to-end/edits.ts';
import { asStream } from '../helpers/json-text.ts';

const megabyte = 1024 * 1024;

async function startStore(): Promise<{ store: InputStore; directory: string }> {
  const directory = await temporaryDirectory();
  return { store: createTemporaryInputStores(directory)('shop'), directory };
}

/** Bytes that are different everywhere. */
function noise(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(at + 1, 2_654_435_761);
  return Buffer.from(words.buffer, 0, length);
}

const put = (store: InputStore, ...chunks: Buffer[]) => store.put(asStream(chunks));
const bytesOf = async (stream: AsyncIterable<Buffer>) => Buffer.concat(await Array.fromAsync(stream));

describe('files of one request', () => {
  test('are given back as they came, wherever they were cut and wherever the memory ends', async () => {
    const lengths = fc.array(fc.array(fc.nat(400_000), { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(lengths, async (files) => {
        const { store, directory } = await startStore();
        const contents = files.map((chunks, file) => chunks.map((length) => noise(length + file).subarray(file)));
        const stored = [];
        for (const chunks of contents) stored.push(await put(store, ...chunks));
        const total = files.flat().reduce((sum, length) => sum + length, 0);
        expect(await openFiles(directory)).toHaveLength(total > megabyte ? 1 : 0);
        // At the same time, and twice, as the calls of one request do.
        const read = await Promise.all([...stored, ...stored].map((file) => bytesOf(store.open(file))));
        for (const [index, chunks] of contents.entries()) {
          const whole = Buffer.concat(chunks);
          expect(stored[index]).toMatchObject({
            size: whole.length,
            sha256: createHash('sha256').update(whole).digest('hex'),
          });
          expect(read[index]?.equals(whole)).toBe(true);
          expect(read[index + contents.length]?.equals(whole)).toBe(true);
        }
        await store.release();
        expect(await openFiles(directory)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  test.each([
    ['in memory', 1000],
    ['on the disk', 2 * megabyte],
  ])('are known by references that survive JSON, and open again to the same bytes: %s', async (_, length) => {
    const { store } = await startStore();
    const [one, other] = [noise(length), noise(length + 1)];
    const references = [await put(store, one), await put(store, other), await put(store, one)];
    const copies: typeof references = JSON.parse(JSON.stringify(references));
    expect(copies).toEqual(references);
    for (const expected of [one, other, one].flatMap((bytes) => [bytes, bytes])) {
      const copy = copies.find(({ size }) => size === expected.length) as (typeof copies)[number];
      expect((await bytesOf(store.open(copy))).equals(expected)).toBe(true);
    }
    await expect(bytesOf(store.open({ sha256: 'of another store', size: length }))).rejects.toThrow('no such input');
    await store.release();
  });

  test.each([
    ['in memory', 1000],
    ['on the disk', 2 * megabyte],
  ])('can be read from any position, but not beyond their end: %s', async (_, length) => {
    const { store } = await startStore();
    await put(store, noise(length));
    const bytes = noise(length);
    const file = await put(store, bytes);
    await put(store, Buffer.alloc(100, 9));
    expect(await store.read(file, 0, 10)).toEqual(bytes.subarray(0, 10));
    expect(await store.read(file, length - 4, 100)).toEqual(bytes.subarray(-4));
    expect(await store.read(file, length, 10)).toHaveLength(0);
    expect(await store.read(file, length + 50, 10)).toHaveLength(0);
    expect(await store.read(file, 2 ** 32 + 8, 10)).toHaveLength(0);
    await store.release();
  });

  test('keep their bytes when whoever gave a chunk uses it again', async () => {
    for (const before of [0, megabyte]) {
      const { store } = await startStore();
      await put(store, Buffer.alloc(before));
      const shared = Buffer.alloc(1000);
      async function* chunks() {
        for (const value of [1, 2, 3]) yield shared.fill(value);
      }
      const file = await store.put(chunks());
      const expected = Buffer.concat([1, 2, 3].map((value) => Buffer.alloc(1000, value)));
      expect((await bytesOf(store.open(file))).equals(expected)).toBe(true);
      await store.release();
    }
  });

  test('of exactly 1 MiB stay in memory; a byte more goes to a nameless file that only its owner may read', async () => {
    const { store, directory } = await startStore();
    await put(store, Buffer.alloc(megabyte));
    expect(await openFiles(directory)).toEqual([]);
    await put(store, Buffer.alloc(1));
    expect(await openFiles(directory)).toEqual([expect.stringMatching(/-upload-[\w-]{24} \(deleted\)$/)]);
    expect(await readdir(directory)).toEqual([]);
    await store.release();
  });

  test('that come byte by byte do not take more memory than they are long', async () => {
    const { store } = await startStore();
    const length = megabyte / 2;
    async function* bytes() {
      const byte = Buffer.from('x');
      for (let at = 0; at < length; at += 1) yield byte;
    }
    const before = used();
    const file = await store.put(bytes());
    // An object for each byte would be more than 50 MB, and none of it could be freed.
    expect((used() - before) / megabyte).toBeLessThan(30);
    expect(file.size).toBe(length);
    await store.release();
  });

  function used(): number {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  }
});

describe('a released store', () => {
  test.each([1000, 2 * megabyte])('releases %i bytes, and neither gives nor takes any more', async (length) => {
    const { store, directory } = await startStore();
    const file = await put(store, Buffer.alloc(length));
    const reading = store.open(file)[Symbol.asyncIterator]();
    await reading.next();
    await store.release();
    await store.release();
    await expect(bytesOf(store.open(file))).rejects.toThrow();
    await expect(store.read(file, 0, 1)).rejects.toThrow();
    await expect(put(store, Buffer.alloc(2 * megabyte))).rejects.toMatchObject({ kind: 'storage_failed' });
    expect(await openFiles(directory)).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  test('leaves nothing, whenever it was released while a file arrived or was read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(12), fc.boolean(), async (turns, reads) => {
        const { store, directory } = await startStore();
        const file = await put(store, Buffer.alloc(megabyte - 10));
        const working = put(store, ...Array.from({ length: 8 }, () => Buffer.alloc(100_000)));
        const reading = reads ? bytesOf(store.open(file)) : Promise.resolve();
        const both = Promise.allSettled([working, reading]);
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        await store.release();
        await both;
        expect(await openFiles(directory)).toEqual([]);
        expect(await readdir(directory)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('failures', () => {
  test('of whoever sends are passed on', async () => {
    const { store } = await startStore();
    const failure = new Error('broken off');
    async function* broken() {
      yield Buffer.alloc(10);
      throw failure;
    }
    await expect(store.put(broken())).rejects.toBe(failure);
    await store.release();
  });

  test('of the disk are called storage_failed', async () => {
    const store = createTemporaryInputStores(join(await temporaryDirectory(), 'missing'))('shop');
    expect((await put(store, Buffer.alloc(megabyte))).size).toBe(megabyte);
    await expect(put(store, Buffer.alloc(1))).rejects.toMatchObject({ kind: 'storage_failed' });
    await store.release();
  });
});

describe('the disk that all uploads may have together', () => {
  const full = { kind: 'overloaded' };

  async function startStores(): Promise<OpenInputStore> {
    const openStore = createTemporaryInputStores(await temporaryDirectory(), 8 * megabyte);
    return (consumer) => {
      const store = openStore(consumer);
      onTestFinished(() => store.release());
      return store;
    };
  }

  test('is counted from the byte that leaves the memory on, and free again after the release', async () => {
    const openStore = await startStores();
    const [one, two, three] = [openStore('shop'), openStore('batch'), openStore('studio')];
    await put(one, Buffer.alloc(megabyte));
    await put(one, Buffer.alloc(3 * megabyte));
    await put(two, Buffer.alloc(4 * megabyte));
    await put(three, Buffer.alloc(megabyte));
    await expect(put(three, Buffer.alloc(1))).rejects.toMatchObject(full);
    await two.release();
    await two.release();
    const file = await put(openStore('batch'), Buffer.alloc(2 * megabyte), Buffer.alloc(2 * megabyte));
    expect(file.size).toBe(4 * megabyte);
    await expect(put(openStore('studio'), Buffer.alloc(2 * megabyte))).rejects.toMatchObject(full);
  });

  test('gives one consumer at most half of it', async () => {
    const openStore = await startStores();
    const [one, two] = [openStore('shop'), openStore('shop')];
    await put(one, Buffer.alloc(2 * megabyte));
    await put(two, Buffer.alloc(2 * megabyte));
    await expect(put(two, Buffer.alloc(1))).rejects.toMatchObject(full);
    await put(openStore('batch'), Buffer.alloc(4 * megabyte));
    await one.release();
    expect((await put(two, Buffer.alloc(2 * megabyte))).size).toBe(2 * megabyte);
  });
});

describe('at the start', () => {
  const leftover = `azure-image-gateway-upload-${'Ab-_'.repeat(6)}`;

  test('the directory is made, for its owner only', async () => {
    const directory = join(await temporaryDirectory(), 'data', 'uploads');
    await prepareInputDirectory(directory);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    await prepareInputDirectory(directory);
  });

  test('what a crash has left is removed, and nothing else', async () => {
    const directory = await temporaryDirectory();
    const foreign = [
      'image.png',
      `${leftover}.png`,
      `${leftover}x`,
      `x${leftover}`,
      leftover.slice(0, -1),
      'azure-image-gateway-upload-',
      '.keep',
    ];
    for (const name of [leftover, ...foreign]) await writeFile(join(directory, name), 'x');
    await symlink(join(directory, 'image.png'), join(directory, leftover.replace('Ab', 'Cd')));
    await prepareInputDirectory(directory);
    expect((await readdir(directory)).sort()).toEqual(foreign.toSorted());
  });

  test('a directory whose place is taken by a file is the disk’s error', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, 'x');
    await expect(prepareInputDirectory(path)).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
