import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openFiles } from '../end-to-end/edits.ts';
import { cut, handwriting } from '../helpers/json-text.ts';
import { filesIn, newId, openStore, png, readBack, receive } from './store-directory.ts';

const storageFailed = { kind: 'storage_failed' };

test('nothing is on the disk before the twelfth byte, and all of it from then on', async () => {
  const store = await openStore();
  const arriving = receive(store);
  expect([arriving.written, await filesIn(store.directory)]).toEqual([0, []]);
  await arriving.write(png().subarray(0, 11));
  expect([arriving.written, await filesIn(store.directory)]).toEqual([11, []]);
  await arriving.write(png().subarray(11, 12));
  expect([arriving.written, await readdir(join(store.directory, 'arriving'))]).toEqual([12, [expect.any(String)]]);
  expect(await readdir(join(store.directory, 'images'))).toEqual([]);
});

test('an image can be read while it is written, from any position, but not beyond what was written', async () => {
  const image = fc.uint8Array({ minLength: 20, maxLength: 3_000 }).map((rest) => Buffer.concat([png(8), rest]));
  const place = fc.record({ position: fc.nat(4_000), length: fc.nat(4_000) });
  const store = await openStore();
  await fc.assert(
    fc.asyncProperty(
      image,
      handwriting,
      fc.array(place, { minLength: 3, maxLength: 3 }),
      async (bytes, hand, places) => {
        const arriving = store.receive(newId(), { isKept: true });
        const expectReadable = async () => {
          const come = bytes.subarray(0, arriving.written);
          for (const { position, length } of places) {
            expect(await arriving.read(position, length)).toEqual(come.subarray(position, position + length));
          }
        };
        let written = 0;
        for (const piece of cut(bytes, hand)) {
          await arriving.write(piece);
          written += piece.length;
          expect(arriving.written).toBe(written);
          await expectReadable();
        }
        const isStored = hand.dice() < 0.5;
        await (isStored ? arriving.commit() : arriving.discard());
        await expectReadable();
        await arriving.close();
      },
    ),
    { numRuns: 50 },
  );
});

test('readers at their own pace read what a writer writes meanwhile', async () => {
  const store = await openStore();
  const arriving = receive(store);
  const image = png(200_000);
  for (let at = 8; at < image.length; at += 1) image[at] = at % 251;
  let isWritten = false;
  const read = async (length: number) => {
    const parts: Buffer[] = [];
    for (let position = 0; position < image.length; ) {
      const part = await arriving.read(position, length);
      if (part.length === 0 && isWritten) expect(position).toBe(arriving.written);
      parts.push(part);
      position += part.length;
      await new Promise(setImmediate);
    }
    return Buffer.concat(parts);
  };
  const readers = [read(1_000), read(30_000), read(1_000_000)];
  for (let at = 0; at < image.length; at += 10_000) await arriving.write(image.subarray(at, at + 10_000));
  isWritten = true;
  await arriving.commit();
  for (const bytes of await Promise.all(readers)) expect(bytes.equals(image)).toBe(true);
});

test('an image that is evicted can still be read by those who saw it arrive', async () => {
  const store = await openStore({ maxBytes: 1_000 });
  const first = receive(store, newId(), false);
  await first.write(png(900));
  const { id } = await first.commit();
  const second = receive(store, newId(), false);
  await second.write(png(900, 9));
  await second.commit();
  expect(await store.open(id)).toBeUndefined();
  expect(await first.read(0, 1_000)).toEqual(png(900));
});

test.for([
  ['a JPEG', '\xff\xd8\xff'],
  ['a GIF', 'GIF89a'],
  ['a PNG', '\x89PNG\r\n\x1a\n'],
])('%s of fewer bytes than a header has is stored', async ([, text = '']) => {
  const store = await openStore();
  const bytes = Buffer.from(text, 'latin1');
  const arriving = receive(store);
  for (const byte of bytes) await arriving.write(Buffer.of(byte));
  const { id } = await arriving.commit();
  expect(await readBack(store, id)).toEqual(bytes);
  expect(await arriving.read(0, 100)).toEqual(bytes);
});

test('a chunk may be used again by whoever wrote it', async () => {
  const store = await openStore();
  const arriving = receive(store);
  const chunk = Buffer.from('GIF89a');
  await arriving.write(chunk);
  chunk.fill(0);
  await arriving.write(chunk);
  const { id } = await arriving.commit();
  expect(await readBack(store, id)).toEqual(Buffer.from('GIF89a\0\0\0\0\0\0'));
});

test('a commit waits for the write before it', async () => {
  const store = await openStore();
  const arriving = receive(store);
  const written = arriving.write(png(500_000));
  const { id, length } = await arriving.commit();
  await written;
  expect(length).toBe(500_000);
  expect(await readBack(store, id)).toEqual(png(500_000));
});

test('one that was committed stays, whatever follows', async () => {
  const store = await openStore();
  const arriving = receive(store);
  await arriving.write(png());
  const committing = arriving.commit();
  await arriving.discard();
  const image = await committing;
  expect(await arriving.commit()).toBe(image);
  await arriving.discard();
  await arriving.close();
  await arriving.discard();
  expect(await readBack(store, image.id)).toEqual(png());
  await expect(arriving.write(png())).rejects.toMatchObject(storageFailed);
});

test('one that was discarded is gone, whatever follows', async () => {
  const store = await openStore();
  const arriving = receive(store);
  await arriving.write(png());
  await Promise.all([arriving.discard(), arriving.discard()]);
  expect(await filesIn(store.directory)).toEqual([]);
  await expect(arriving.write(png())).rejects.toMatchObject(storageFailed);
  await expect(arriving.commit()).rejects.toMatchObject(storageFailed);
  expect(await filesIn(store.directory)).toEqual([]);
});

test('one that is discarded before its first byte was never there', async () => {
  const store = await openStore();
  const arriving = receive(store);
  await arriving.discard();
  await expect(arriving.write(png())).rejects.toMatchObject(storageFailed);
  await arriving.close();
  expect(await filesIn(store.directory)).toEqual([]);
});

test('closing one that was neither committed nor discarded discards it', async () => {
  const store = await openStore();
  const arriving = receive(store);
  await arriving.write(png());
  await arriving.close();
  expect(await filesIn(store.directory)).toEqual([]);
  await expect(arriving.commit()).rejects.toMatchObject(storageFailed);
});

test('closing waits for what is being read, and nothing can be read afterwards', async () => {
  const store = await openStore();
  const arriving = receive(store);
  await arriving.write(png(500_000));
  await arriving.commit();
  const reading = [0, 1, 2].map(() => arriving.read(0, 500_000));
  await Promise.all([arriving.close(), arriving.close()]);
  for (const bytes of await Promise.all(reading)) expect(bytes.equals(png(500_000))).toBe(true);
  await expect(arriving.read(0, 1)).rejects.toMatchObject(storageFailed);
  expect(await openFiles(store.directory)).toEqual([]);
});

test('whatever is done in whatever order, no descriptor and no half image stays', async () => {
  const act = fc.constantFrom('write', 'read', 'commit', 'discard', 'close', 'turn');
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 12 }), async (acts) => {
      const store = await openStore();
      const arriving = store.receive(newId(), { isKept: false });
      const running: Promise<unknown>[] = [];
      let lastWrite: Promise<unknown> = Promise.resolve();
      for (const next of acts) {
        if (next === 'write') {
          await lastWrite.catch(() => {});
          lastWrite = arriving.write(png());
          running.push(lastWrite);
        }
        if (next === 'read') running.push(arriving.read(0, 1_000));
        if (next === 'commit') running.push(arriving.commit());
        if (next === 'discard') running.push(arriving.discard());
        if (next === 'close') running.push(arriving.close());
        if (next === 'turn') await new Promise(setImmediate);
        running.at(-1)?.catch(() => {});
      }
      await arriving.close();
      await Promise.allSettled(running);
      expect(await openFiles(store.directory)).toEqual([]);
      expect(await readdir(join(store.directory, 'arriving'))).toEqual([]);
      for (const name of await readdir(join(store.directory, 'images'))) {
        const [id = ''] = name.split('.');
        expect((await readBack(store, id))?.length).toBe(arriving.written);
      }
    }),
    { numRuns: 100 },
  );
});

test('less is to be collected for a write the more images arrive', async () => {
  const store = await openStore();
  const kibibyte = 1024;
  const arriving: ReturnType<typeof receive>[] = [];
  const sizes: number[] = [];
  for (const count of [0, 1, 128, 129, 256, 300]) {
    while (arriving.length < count) arriving.push(receive(store));
    sizes.push(Math.floor(store.writeBytes / kibibyte));
  }
  expect(sizes).toEqual([128, 128, 128, 127, 64, 64]);
  await arriving[0]?.write(png());
  await arriving[0]?.commit();
  for (const image of arriving) await image.discard();
  expect(store.writeBytes / kibibyte).toBe(128);
});
