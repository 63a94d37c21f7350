import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cut, handwriting } from '../helpers/json-text.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { isWaiting, keep, kibibyte, pieces, readAll, textOf, write } from './keep-image.ts';

describe('an image that is kept', () => {
  const bytes = randomBytes(300 * kibibyte + 1);
  const text = textOf(bytes);

  test('is given to a reader that keeps up in the very chunks in which it comes, without a look at the file', async () => {
    const { image, store } = keep();
    const chunks = pieces(text, 10_000);
    const reading = Array.fromAsync(image.read());
    for (const chunk of chunks) {
      await image.write(chunk);
      await new Promise(setImmediate);
    }
    await image.end();
    const read = await reading;
    expect(read).toEqual(chunks);
    expect(read.every((chunk, index) => chunk.buffer === chunks[index]?.buffer)).toBe(true);
    expect(store.reads).toBe(0);
  });

  test('is stored byte for byte, although nobody reads it, and is read again from its file', async () => {
    const { image, store } = keep();
    await write(image, pieces(text, 7_001));
    expect(await image.end()).toMatchObject({ id: 'image', length: bytes.length });
    expect(store.images.get('image')?.bytes.equals(bytes)).toBe(true);
    expect((await readAll(image.read())).equals(text)).toBe(true);
    expect(store.reads).toBeGreaterThan(0);
    await image.close();
    expect(store.openFiles.size).toBe(0);
  });

  test.each([
    ['that nobody reads, is held decoded only', [], false],
    ['that a reader will read, is held in the chunk in which it came', [{}], true],
  ])('its text, %s', async (_, readers, isHeld) => {
    const { image } = keep({ readers });
    const chunk = Buffer.alloc(4_000, 'A');
    await image.write(chunk);
    const { value } = await image.read(readers[0]).next();
    expect(value.equals(chunk)).toBe(true);
    expect(value.buffer === chunk.buffer).toBe(isHeld);
  });

  test('is written at the speed of its upstream, whatever a slow reader does', async () => {
    const { image } = keep({ readers: [{}] });
    const slow = image.read();
    await write(image, pieces(text, 10_000));
    const first = await slow.next();
    await image.end();
    const rest = await readAll(slow);
    expect(Buffer.concat([first.value, rest]).equals(text)).toBe(true);
  });

  test('is read by several readers at their own paces, each from its beginning', async () => {
    const { image } = keep();
    const chunks = pieces(text, 20_000);
    const readers = [image.read(), image.read(), image.read()];
    const read: Buffer[][] = [[], [], []];
    for (const [index, chunk] of chunks.entries()) {
      await image.write(chunk);
      for (const [which, reader] of readers.entries()) {
        if (index % (which + 1) === 0) read[which]?.push((await reader.next()).value);
      }
    }
    await image.end();
    for (const [which, reader] of readers.entries()) {
      const all = Buffer.concat([...(read[which] ?? []), await readAll(reader)]);
      expect(all.equals(text)).toBe(true);
    }
    expect((await readAll(image.read())).equals(text)).toBe(true);
  });

  test('wakes a reader that has asked for more than there is', async () => {
    const { image } = keep();
    const reader = image.read();
    const next = reader.next();
    expect(await isWaiting(next)).toBe(true);
    await image.write(Buffer.from('AAAA'));
    expect(String((await next).value)).toBe('AAAA');
    const end = reader.next();
    expect(await isWaiting(end)).toBe(true);
    await image.end();
    expect((await end).done).toBe(true);
  });

  test('that is partial is read to its end also after it was dropped, and leaves no image', async () => {
    const { image, store } = keep();
    await write(image, pieces(text, 10_000));
    await image.drop();
    expect((await readAll(image.read())).equals(text)).toBe(true);
    expect(store.images.size).toBe(0);
  });

  test('whose upstream breaks off fails its readers after what they can still have, and leaves no image', async () => {
    const { image, store, file } = keep();
    const [keepsUp, lags] = [image.read(), image.read()];
    const chunks = pieces(text, 100_000).slice(0, 3);
    for (const chunk of chunks) {
      await image.write(chunk);
      await keepsUp.next();
    }
    const next = keepsUp.next();
    await image.fail(new Error('cut'));
    await expect(next).rejects.toThrow('cut');
    let read = 0;
    const all = (async () => {
      for await (const chunk of lags) read += chunk.length;
    })();
    await expect(all).rejects.toThrow('cut');
    expect(read).toBe(300_000);
    expect([file.hasEnded, store.images.size]).toEqual([true, 0]);
  });
});

test('the text is the same byte for byte, however it is cut, written and read', async () => {
  const pace = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
      handwriting,
      pace,
      async (data, hand, turns) => {
        const store = new MemoryImageStore();
        store.writeBytes = 64;
        const { image } = keep({ store });
        const text = textOf(Buffer.from(data));
        const readers = [image.read(), image.read()].map((chunks) => ({ chunks, text: '' }));
        let written = 0;
        for (const [index, chunk] of cut(text, hand).entries()) {
          await image.write(chunk);
          written += chunk.length;
          const reader = readers[turns[index % turns.length] as number];
          if (reader && reader.text.length < written) reader.text += (await reader.chunks.next()).value;
        }
        const stored = await image.end();
        expect(stored?.length).toBe(data.length);
        for (const reader of readers) expect(`${reader.text}${await readAll(reader.chunks)}`).toBe(text.toString());
        expect((await readAll(image.read())).toString()).toBe(text.toString());
      },
    ),
    { numRuns: 300 },
  );
});
