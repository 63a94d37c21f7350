import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { ByteRange, ImageStore } from '../../src/domain/image-store.ts';
import { newId, png, put, readBack, receive } from './store-directory.ts';

type StoreSettings = { readonly now?: () => number; readonly lifetimeMs?: number };

const headers = {
  'image/png': '\x89PNG\r\n\x1a\n',
  'image/jpeg': '\xff\xd8\xff',
  'image/gif': 'GIF89a',
  'image/webp': 'RIFF\x10\0\0\0WEBP',
};

/** Of an image of 100 bytes. */
export const allRanges: readonly ByteRange[] = [
  { first: 0, last: 0 },
  { first: 0, last: 99 },
  { first: 10, last: 19 },
  { first: 99, last: 99 },
];

/** What every image store does. @param open opens an empty one that is closed with the test */
export function describeImageStore(
  name: string,
  open: (settings?: StoreSettings) => Promise<ImageStore>,
  ranges = allRanges,
): void {
  describe(name, () => {
    test.for(Object.entries(headers))(
      'an image of type %s comes back as it was stored',
      async ([mediaType, header]) => {
        const now = Date.now();
        const store = await open({ now: () => now, lifetimeMs: 90_000 });
        const image = Buffer.concat([Buffer.from(header, 'latin1'), Buffer.alloc(50_000, 'x')]);
        const id = newId();
        const stored = await put(store, image, { id });
        expect(stored).toEqual({ id, mediaType, length: image.length, expiresAt: now + 90_000 });
        expect(await store.open(id)).toEqual({ ...stored, read: expect.any(Function) });
        expect(await readBack(store, id)).toEqual(image);
      },
    );

    test.for(ranges)('the range $first to $last is read with both its ends', async (range) => {
      const store = await open();
      const image = png(100);
      for (let at = 8; at < 100; at += 1) image[at] = at;
      const { id } = await put(store, image);
      expect(await readBack(store, id, range)).toEqual(image.subarray(range.first, range.last + 1));
    });

    test('images that arrive at the same time do not mix', async () => {
      const store = await open();
      const images = Array.from({ length: 50 }, (_, fill) => png(20_000, fill));
      const stored = await Promise.all(
        images.map((image) => put(store, [image.subarray(0, 7_000), image.subarray(7_000)])),
      );
      for (const [at, { id }] of stored.entries()) expect(await readBack(store, id)).toEqual(images[at]);
    });

    test.for([1, 5, 12])(
      'an image of about %i MiB comes back whole, and can be read while it arrives',
      async (mebibytes) => {
        const store = await open();
        const image = numbered(mebibytes * 1024 * 1024 + 12_345);
        const arriving = receive(store);
        const piece = 300_000;
        for (let at = 0; at < image.length; at += piece) {
          await arriving.write(image.subarray(at, at + piece));
          expect((await arriving.read(at, piece)).equals(image.subarray(at, at + piece))).toBe(true);
        }
        const { id, length } = await arriving.commit();
        expect(length).toBe(image.length);
        expect((await arriving.read(0, 1_000)).equals(image.subarray(0, 1_000))).toBe(true);
        const opened = await store.open(id);
        expect(opened && (await buffer(opened.read())).equals(image)).toBe(true);
        const range = { first: image.length - 10, last: image.length - 1 };
        expect(await readBack(store, id, range)).toEqual(image.subarray(-10));
      },
    );

    test('an expired image is refused at once', async () => {
      let now = Date.now();
      const store = await open({ now: () => now, lifetimeMs: 5_000 });
      const { id } = await put(store);
      now += 4_999;
      expect(await store.open(id)).toBeDefined();
      now += 1;
      expect(await store.open(id)).toBeUndefined();
    });

    test('an image that is stored again under its id comes back', async () => {
      const store = await open();
      const id = newId();
      await put(store, png(100), { id, isKept: true });
      await put(store, png(100), { id, isKept: true });
      expect(await readBack(store, id)).toEqual(png(100));
    });

    test('an image that is removed is unknown, and so is one that was discarded', async () => {
      const store = await open();
      const { id } = await put(store);
      await store.remove([id, newId()]);
      const discarded = newId();
      const arriving = receive(store, discarded);
      await arriving.write(png());
      await arriving.discard();
      for (const unknown of [id, discarded, newId(), '', '../x']) expect(await store.open(unknown)).toBeUndefined();
    });

    test('bytes that are no image are refused', async () => {
      const store = await open();
      const id = newId();
      const refused = put(store, Buffer.from('<svg xmlns="http://www.w3.org/2000/svg">'), { id });
      await expect(refused).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
      expect(await store.open(id)).toBeUndefined();
    });

    test('an image that is removed while it is read can be read again from nowhere', async () => {
      const store = await open();
      const { id } = await put(store, png(2_000));
      const opened = await store.open(id);
      await store.remove([id]);
      await expect(buffer((opened as NonNullable<typeof opened>).read())).rejects.toThrow();
    });
  });
}

/** An image in which no part is like another. */
export function numbered(length: number): Buffer {
  const image = png(length);
  for (let at = 8; at + 4 <= length; at += 4) image.writeUInt32BE(at, at);
  return image;
}
