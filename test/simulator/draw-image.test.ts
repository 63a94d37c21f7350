import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { drawImage, type ImageOrder } from '../../simulator/draw-image.ts';
import { composeImage } from '../../simulator/image-composition.ts';

const order: ImageOrder = {
  prompt: 'a cat',
  index: 0,
  width: 512,
  height: 256,
  transparent: false,
  format: 'png',
  compression: 100,
  paddingMegabytes: 0,
  coarseness: 1,
  broken: false,
};
const drawnBytes = async (changes: Partial<ImageOrder> = {}) =>
  Buffer.concat((await drawImage({ ...order, ...changes })).pieces);

describe('a drawn image', () => {
  test('has the requested size and format, and the length it says', async () => {
    const image = await drawImage(order);
    const bytes = Buffer.concat(image.pieces);
    const { width, height, format } = await sharp(bytes).metadata();
    expect([width, height, format, image.byteLength]).toEqual([512, 256, 'png', bytes.length]);
  });

  test('is the same for the same prompt and index, and another one for another', async () => {
    const first = await drawnBytes();
    expect(first.equals(await drawnBytes())).toBe(true);
    expect(first.equals(await drawnBytes({ prompt: 'a dog' }))).toBe(false);
    expect(first.equals(await drawnBytes({ index: 1 }))).toBe(false);
  });

  test.each([['<&>"\u0000\ud800 \uffff'], ['x'.repeat(5000)], ['  '], ['word '.repeat(900)], ['猫 😀 קט']])(
    'is drawn whatever the prompt holds (%#)',
    async (prompt) => {
      expect((await sharp(await drawnBytes({ prompt })).metadata()).width).toBe(512);
    },
  );

  test.each(['png', 'jpeg'] as const)('padded as %s is larger and shows the same', async (format) => {
    const plain = await drawnBytes({ format });
    const padded = await drawnBytes({ format, paddingMegabytes: 5 });
    expect(padded.length).toBe(plain.length + 5 * 1024 * 1024);
    const [one, other] = await Promise.all([plain, padded].map((bytes) => sharp(bytes).raw().toBuffer()));
    expect(other && one?.equals(other)).toBe(true);
  });

  test.each(['png', 'jpeg'] as const)('that is coarse has the same size and less in it, as %s', async (format) => {
    const finished = await drawnBytes({ format });
    const coarse = await drawnBytes({ format, coarseness: 16 });
    const { width, height } = await sharp(coarse).metadata();
    expect([width, height]).toEqual([512, 256]);
    expect(coarse.length).toBeLessThan(finished.length);
    const [one, other] = await Promise.all([finished, coarse].map((bytes) => sharp(bytes).stats()));
    expect(other?.channels[0]?.mean).toBeCloseTo(one?.channels[0]?.mean ?? 0, -1);
  });

  test('is padded with PNG chunks whose checksums are right', async () => {
    const bytes = await drawnBytes({ paddingMegabytes: 2 });
    const types: string[] = [];
    for (let start = 8; start < bytes.length; ) {
      const end = start + 8 + bytes.readUInt32BE(start);
      expect(bytes.readUInt32BE(end)).toBe(crc32(bytes.subarray(start + 4, end)));
      types.push(bytes.toString('latin1', start + 4, start + 8));
      start = end + 4;
    }
    expect(types.slice(0, 3)).toEqual(['IHDR', 'noIs', 'noIs']);
    expect(types.at(-1)).toBe('IEND');
  });

  test('of 64 megabytes repeats one piece instead of holding it 64 times', async () => {
    const { pieces } = await drawImage({ ...order, paddingMegabytes: 64 });
    expect(new Set(pieces.map((piece) => `${piece.buffer.byteLength}:${piece.byteOffset}`)).size).toBeLessThan(5);
  });

  test('shows its prompt without any font of the system: as paths, and no text', () => {
    const captioned = composeImage({ ...order, prompt: 'A cute cate, fünf & mehr' });
    expect(captioned).not.toContain('<text');
    const shapes = (image: string) => image.match(/<path/g)?.length ?? 0;
    expect(shapes(captioned)).toBeGreaterThan(3);
    // What the font lacks is left to the system.
    expect(composeImage({ ...order, prompt: '猫' })).toContain('<text');
  });
});
