import { createHash } from 'node:crypto';
import { readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { InputSpool, OpenSpool } from '../../src/domain/input-spool.ts';
import { createInputSpools, prepareSpoolDirectory } from '../../src/storage/disk-input-spool.ts';
import { openFiles, temporaryDirectory } from '../end-to-end/edits.ts';
import { asStream } from '../helpers/json-text.ts';

const megabyte = 1024 * 1024;

async function startSpool(): Promise<{ spool: InputSpool; directory: string }> {
  const directory = await temporaryDirectory();
  return { spool: createInputSpools(directory)('shop'), directory };
}

/** Bytes that are different everywhere. */
function noise(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(at + 1, 2_654_435_761);
  return Buffer.from(words.buffer, 0, length);
}

const put = (spool: InputSpool, ...chunks: Buffer[]) => spool.put(asStream(chunks));
const bytesOf = async (stream: AsyncIterable<Buffer>) => Buffer.concat(await Array.fromAsync(stream));

describe('files of one request', () => {
  test('are given back as they came, wherever they were cut and wherever the memory ends', async () => {
    const lengths = fc.array(fc.array(fc.nat(400_000), { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(lengths, async (files) => {
        const { spool, directory } = await startSpool();
        const contents = files.map((chunks, file) => chunks.map((length) => noise(length + file).subarray(file)));
        const stored = [];
        for (const chunks of contents) stored.push(await put(spool, ...chunks));
        const total = files.flat().reduce((sum, length) => sum + length, 0);
        expect(await openFiles(directory)).toHaveLength(total > megabyte ? 1 : 0);
        // At the same time, and twice, as the calls of one request do.
        const read = await Promise.all([...stored, ...stored].map((file) => bytesOf(file.open())));
        for (const [index, chunks] of contents.entries()) {
          const whole = Buffer.concat(chunks);
          expect(stored[index]).toMatchObject({
            bytes: whole.length,
            sha256: createHash('sha256').update(whole).digest('hex'),
          });
          expect(read[index]?.equals(whole)).toBe(true);
          expect(read[index + contents.length]?.equals(whole)).toBe(true);
        }
        await spool.release();
        expect(await openFiles(directory)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  test.each([
    ['in memory', 1000],
    ['on the disk', 2 * megabyte],
  ])('can be read from any position, but not beyond their end: %s', async (_, length) => {
    const { spool } = await startSpool();
    await put(spool, noise(length));
    const bytes = noise(length);
    const file = await put(spool, bytes);
    await put(spool, Buffer.alloc(100, 9));
    expect(await file.read(0, 10)).toEqual(bytes.subarray(0, 10));
    expect(await file.read(length - 4, 100)).toEqual(bytes.subarray(-4));
    expect(await file.read(length, 10)).toHaveLength(0);
    expect(await file.read(length + 50, 10)).toHaveLength(0);
    expect(await file.read(2 ** 32 + 8, 10)).toHaveLength(0);
    await spool.release();
  });

  test('keep their bytes when whoever gave a chunk uses it again', async () => {
    for (const before of [0, megabyte]) {
      const { spool } = await startSpool();
      await put(spool, Buffer.alloc(before));
      const shared = Buffer.alloc(1000);
      async function* chunks() {
        for (const value of [1, 2, 3]) yield shared.fill(value);
      }
      const file = await spool.put(chunks());
      const expected = Buffer.concat([1, 2, 3].map((value) => Buffer.alloc(1000, value)));
      expect((await bytesOf(file.open())).equals(expected)).toBe(true);
      await spool.release();
    }
  });

  test('of exactly 1 MiB stay in memory; a byte more goes to a nameless file that only its owner may read', async () => {
    const { spool, directory } = await startSpool();
    await put(spool, Buffer.alloc(megabyte));
    expect(await openFiles(directory)).toEqual([]);
    await put(spool, Buffer.alloc(1));
    expect(await openFiles(directory)).toEqual([expect.stringMatching(/-upload-[\w-]{24} \(deleted\)$/)]);
    expect(await readdir(directory)).toEqual([]);
    await spool.release();
  });

  test('that come byte by byte do not take more memory than they are long', async () => {
    const { spool } = await startSpool();
    const length = megabyte / 2;
    async function* bytes() {
      const byte = Buffer.from('x');
      for (let at = 0; at < length; at += 1) yield byte;
    }
    const before = used();
    const file = await spool.put(bytes());
    // An object for each byte would be more than 50 MB, and none of it could be freed.
    expect((used() - before) / megabyte).toBeLessThan(30);
    expect(file.bytes).toBe(length);
    await spool.release();
  });

  function used(): number {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  }
});

describe('a released spool', () => {
  test.each([1000, 2 * megabyte])('lets go of %i bytes, and neither gives nor takes any more', async (length) => {
    const { spool, directory } = await startSpool();
    const file = await put(spool, Buffer.alloc(length));
    const reading = file.open()[Symbol.asyncIterator]();
    await reading.next();
    await spool.release();
    await spool.release();
    await expect(bytesOf(file.open())).rejects.toThrow();
    await expect(file.read(0, 1)).rejects.toThrow();
    await expect(put(spool, Buffer.alloc(2 * megabyte))).rejects.toMatchObject({ kind: 'storage_failed' });
    expect(await openFiles(directory)).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  test('leaves nothing, whenever it was released while a file arrived or was read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(12), fc.boolean(), async (turns, reads) => {
        const { spool, directory } = await startSpool();
        const file = await put(spool, Buffer.alloc(megabyte - 10));
        const working = put(spool, ...Array.from({ length: 8 }, () => Buffer.alloc(100_000)));
        const reading = reads ? bytesOf(file.open()) : Promise.resolve();
        const both = Promise.allSettled([working, reading]);
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        await spool.release();
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
    const { spool } = await startSpool();
    const failure = new Error('broken off');
    async function* broken() {
      yield Buffer.alloc(10);
      throw failure;
    }
    await expect(spool.put(broken())).rejects.toBe(failure);
    await spool.release();
  });

  test('of the disk are called storage_failed', async () => {
    const spool = createInputSpools(join(await temporaryDirectory(), 'missing'))('shop');
    expect((await put(spool, Buffer.alloc(megabyte))).bytes).toBe(megabyte);
    await expect(put(spool, Buffer.alloc(1))).rejects.toMatchObject({ kind: 'storage_failed' });
    await spool.release();
  });
});

describe('the disk that all uploads may have together', () => {
  const full = { kind: 'overloaded' };

  async function startSpools(): Promise<OpenSpool> {
    const openSpool = createInputSpools(await temporaryDirectory(), 8 * megabyte);
    return (consumer) => {
      const spool = openSpool(consumer);
      onTestFinished(() => spool.release());
      return spool;
    };
  }

  test('is counted from the byte that leaves the memory on, and free again after the release', async () => {
    const openSpool = await startSpools();
    const [one, two, three] = [openSpool('shop'), openSpool('batch'), openSpool('studio')];
    await put(one, Buffer.alloc(megabyte));
    await put(one, Buffer.alloc(3 * megabyte));
    await put(two, Buffer.alloc(4 * megabyte));
    await put(three, Buffer.alloc(megabyte));
    await expect(put(three, Buffer.alloc(1))).rejects.toMatchObject(full);
    await two.release();
    await two.release();
    const file = await put(openSpool('batch'), Buffer.alloc(2 * megabyte), Buffer.alloc(2 * megabyte));
    expect(file.bytes).toBe(4 * megabyte);
    await expect(put(openSpool('studio'), Buffer.alloc(2 * megabyte))).rejects.toMatchObject(full);
  });

  test('is for one caller at most half of it', async () => {
    const openSpool = await startSpools();
    const [one, two] = [openSpool('shop'), openSpool('shop')];
    await put(one, Buffer.alloc(2 * megabyte));
    await put(two, Buffer.alloc(2 * megabyte));
    await expect(put(two, Buffer.alloc(1))).rejects.toMatchObject(full);
    await put(openSpool('batch'), Buffer.alloc(4 * megabyte));
    await one.release();
    expect((await put(two, Buffer.alloc(2 * megabyte))).bytes).toBe(2 * megabyte);
  });
});

describe('at the start', () => {
  const leftover = `azure-image-gateway-upload-${'Ab-_'.repeat(6)}`;

  test('the directory is made, for its owner only', async () => {
    const directory = join(await temporaryDirectory(), 'data', 'uploads');
    await prepareSpoolDirectory(directory);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    await prepareSpoolDirectory(directory);
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
    await prepareSpoolDirectory(directory);
    expect((await readdir(directory)).sort()).toEqual(foreign.toSorted());
  });

  test('a directory whose place is taken by a file is the disk’s error', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, 'x');
    await expect(prepareSpoolDirectory(path)).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
