import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { KeptImage } from '../../src/generations/kept-image.ts';
import { isWaiting, keep, kibibyte, pieces, readAll, textOf, write } from './keep-image.ts';

describe('an image that must be stored', () => {
  test.each([
    ['a write', { writesLeft: 0 }],
    ['the commit', { failsToCommit: true }],
  ])('rejects when %s fails', async (_, fault) => {
    const { image, store } = keep({ mustBeStored: true });
    store.writeBytes = 1;
    Object.assign(store.disk, fault);
    const all = (async () => {
      await write(image, pieces(textOf(randomBytes(200 * kibibyte)), 50_000));
      await image.end();
    })();
    await expect(all).rejects.toMatchObject({ kind: 'storage_failed' });
  });
});

describe('an image whose disk fails', () => {
  const text = textOf(randomBytes(3_000 * kibibyte));
  const chunkLength = 50_000;
  const chunks = pieces(text, chunkLength);
  const fiveWrites = (5 * 64 * kibibyte * 4) / 3;

  /** Writes all of it, and tells how far that has come. */
  function begin(image: KeptImage) {
    const progress = { length: 0 };
    const all = (async () => {
      for (const chunk of chunks) {
        progress.length += chunk.length;
        await image.write(chunk);
      }
      return image.end();
    })();
    return { progress, all };
  }

  async function readSlowly(reader: AsyncIterable<Buffer>): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const chunk of reader) {
      await new Promise(setImmediate);
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  }

  test.each([
    ['at once', { writesLeft: 0 }],
    ['in the middle', { writesLeft: 5 }],
    ['at its commit', { failsToCommit: true }],
  ])('%s is given whole to the readers that are there, fast or slow, and is not stored', async (_, fault) => {
    const [one, other] = [{}, {}];
    const { image, store, file } = keep({ readers: [one, other] });
    Object.assign(store.disk, fault);
    const reading = [readAll(image.read(one)), readSlowly(image.read(other))];
    const { all } = begin(image);
    expect((await Promise.all(reading)).map((read) => read.equals(text))).toEqual([true, true]);
    expect(await all).toBeUndefined();
    expect([file.hasEnded, store.images.size]).toEqual([true, 0]);
    await image.close();
    expect(store.openFiles.size).toBe(0);
  });

  test('is held up by the slowest reader, with a mebibyte and a chunk in memory at most', async () => {
    const slow = {};
    const { image, store } = keep({ readers: [slow] });
    store.disk.writesLeft = 5;
    const reader = image.read(slow);
    const { all, progress } = begin(image);
    expect(await isWaiting(all)).toBe(true);
    let read = 0;
    for (let next = await reader.next(); !next.done; next = await reader.next()) {
      expect(progress.length - Math.max(read, fiveWrites)).toBeLessThanOrEqual(1024 * kibibyte + chunkLength);
      read += next.value.length;
    }
    expect([read, await all]).toEqual([text.length, undefined]);
  });

  test('does not pile up in memory when nobody reads it, and is lost for whoever comes later', async () => {
    const { image, store } = keep();
    store.disk.writesLeft = 5;
    expect(await begin(image).all).toBeUndefined();
    await expect(readAll(image.read())).rejects.toMatchObject({ kind: 'storage_failed', outcome: 'unknown' });
  });

  test('fails a reader that comes too late, for which the others do not wait', async () => {
    const [early, late] = [{}, {}];
    const readers: object[] = [early];
    const { image, store } = keep({ readers });
    store.disk.writesLeft = 5;
    const reader = image.read(early);
    const { all } = begin(image);
    let read = 0;
    while (read < 1_500 * kibibyte) read += (await reader.next()).value.length;
    readers.push(late);
    expect(read + (await readAll(reader)).length).toBe(text.length);
    await expect(readAll(image.read(late))).rejects.toMatchObject({ kind: 'storage_failed' });
    expect(await all).toBeUndefined();
  });

  test('goes on for the others when the reader that holds it up leaves', async () => {
    const [stays, leaves] = [{}, {}];
    const readers: object[] = [stays, leaves];
    const { image, store } = keep({ readers });
    store.disk.writesLeft = 0;
    const reading = readAll(image.read(stays));
    const { all } = begin(image);
    expect(await isWaiting(all)).toBe(true);
    readers.pop();
    image.readersChanged();
    expect((await reading).equals(text)).toBe(true);
    expect(await all).toBeUndefined();
  });

  test('waits for a reader that has not begun, although another one has begun and left', async () => {
    const [left, waiting] = [{}, {}];
    const readers: object[] = [left, waiting];
    const { image, store } = keep({ readers });
    store.disk.writesLeft = 0;
    const reader = image.read(left);
    const { all } = begin(image);
    await reader.next();
    await reader.return?.();
    readers.shift();
    image.readersChanged();
    expect(await isWaiting(all)).toBe(true);
    expect((await readAll(image.read(waiting))).equals(text)).toBe(true);
    expect(await all).toBeUndefined();
  });

  test('fails readers that lag when the file cannot be read either, and goes on without them', async () => {
    const slow = {};
    const { image, store } = keep({ readers: [slow] });
    store.disk.writesLeft = 5;
    const reader = image.read(slow);
    const { all } = begin(image);
    expect(await isWaiting(all)).toBe(true);
    store.disk.failsToRead = true;
    await expect(readAll(reader)).rejects.toMatchObject({ kind: 'storage_failed' });
    expect(await all).toBeUndefined();
  });

  test('and that is partial is given whole to its readers all the same', async () => {
    const one = {};
    const { image, store } = keep({ readers: [one] });
    store.disk.writesLeft = 5;
    const reading = readAll(image.read(one));
    await write(image, chunks);
    await image.drop();
    expect((await reading).equals(text)).toBe(true);
  });
});
