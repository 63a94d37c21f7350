import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InputReader } from '../../src/domain/image-input.ts';
import type { PaidBody } from '../../src/upstream/client.ts';
import { jsonWithImages, type Place } from '../../src/upstream/image-bodies.ts';
import { imageInput, inputs } from '../helpers/image-input.ts';

async function bytesOf(body: PaidBody): Promise<Buffer> {
  const opened = typeof body.content === 'function' ? body.content() : body.content;
  return Buffer.isBuffer(opened) ? opened : Buffer.concat(await opened.toArray());
}

const urlOf = (bytes: Buffer, mediaType = 'image/png') => `data:${mediaType};base64,${bytes.toString('base64')}`;

describe('a JSON body with images', () => {
  test('without any image is the JSON of the value, in UTF-8', async () => {
    const value = { input: 'Kätzchen 🐱', left: undefined, none: null };
    const body = jsonWithImages(() => value, undefined);
    expect((await bytesOf(body)).toString()).toBe(JSON.stringify(value));
    expect([body.contentType, body.length]).toEqual(['application/json', Buffer.byteLength(JSON.stringify(value))]);
  });

  test('is the same as with the data URLs written into it, and as long as it says, every time', async () => {
    const made = fc.uint8Array({ maxLength: 30_000 }).map((bytes) => Buffer.from(bytes));
    // Texts that look like what stands for images must stay as they are.
    const text = fc.oneof(
      fc.string(),
      fc.tuple(fc.uuid(), fc.nat(3)).map(([id, number]) => `${id}:${number};`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(made, { maxLength: 4 }), text, fc.jsonValue(), async (madeImages, prompt, other) => {
        const build = (place: Place) => ({
          prompt,
          images: madeImages.map((bytes) => ({ image_url: place(imageInput(bytes)) })),
          other,
          last: madeImages[0] && place(imageInput(madeImages[0], { type: 'image/webp' })),
        });
        const body = jsonWithImages(build, inputs);
        const expected = JSON.stringify({
          prompt,
          images: madeImages.map((bytes) => ({ image_url: urlOf(bytes) })),
          other,
          last: madeImages[0] && urlOf(madeImages[0], 'image/webp'),
        });
        for (let sending = 0; sending < 2; sending += 1) {
          const bytes = await bytesOf(body);
          expect(bytes.toString()).toBe(expected);
          expect(bytes.length).toBe(body.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('can be sent to several at the same time', async () => {
    const bytes = Buffer.alloc(100_000, 7);
    const body = jsonWithImages((place) => [place(imageInput(bytes))], inputs);
    const all = await Promise.all([bytesOf(body), bytesOf(body), bytesOf(body)]);
    for (const one of all) expect(JSON.parse(one.toString())).toEqual([urlOf(bytes)]);
  });

  test('reads an image only when it is sent, piece by piece, and tells when that fails', async () => {
    let opened = 0;
    const broken: InputReader = {
      async *open() {
        opened += 1;
        yield Buffer.alloc(3);
        throw new Error('the file is gone');
      },
    };
    const body = jsonWithImages((place) => [place(imageInput(Buffer.alloc(9)))], broken);
    expect([opened, body.length]).toEqual([0, '["data:image/png;base64,"]'.length + 12]);
    await expect(bytesOf(body)).rejects.toThrow('the file is gone');
    expect(opened).toBe(1);
  });
});
