import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type ImageHeader, readImageHeader } from '../../src/codec/image-header.ts';

/** Reads a header from bytes, and counts the reads and what they gave. */
async function headerOf(bytes: Buffer): Promise<{ header: ImageHeader | undefined; reads: number; given: number }> {
  let [reads, given] = [0, 0];
  const header = await readImageHeader(async (position, length) => {
    reads += 1;
    const piece = bytes.subarray(position, position + length);
    given += piece.length;
    return piece;
  });
  return { header, reads, given };
}

type Sharp = ReturnType<typeof sharp>;

const blank = (width: number, height: number, channels: 3 | 4) =>
  sharp({ create: { width, height, channels, background: channels === 3 ? '#336699' : '#33669980' } });

describe('the header of an image that was written by an encoder', () => {
  const sizes = [
    [1, 1],
    [17, 300],
    [1200, 5],
  ] as const;
  const notes = { IFD0: { Copyright: 'x'.repeat(60_000) } };
  const encoders: [string, 'png' | 'jpeg' | 'webp', 3 | 4, (from: Sharp) => Sharp][] = [
    ['PNG', 'png', 3, (from) => from.png()],
    ['PNG with an alpha channel', 'png', 4, (from) => from.png()],
    ['PNG in shades of grey', 'png', 3, (from) => from.toColourspace('b-w').png()],
    ['PNG of 16 bits', 'png', 4, (from) => from.toColourspace('rgb16').png()],
    ['PNG with a palette', 'png', 3, (from) => from.png({ palette: true })],
    ['PNG whose palette is transparent', 'png', 4, (from) => from.png({ palette: true })],
    ['interlaced PNG', 'png', 4, (from) => from.png({ progressive: true })],
    ['PNG with notes', 'png', 4, (from) => from.withMetadata({ density: 300 }).png()],
    ['JPEG', 'jpeg', 3, (from) => from.jpeg()],
    ['progressive JPEG', 'jpeg', 3, (from) => from.jpeg({ progressive: true })],
    ['JPEG in shades of grey', 'jpeg', 3, (from) => from.toColourspace('b-w').jpeg()],
    ['JPEG with profile and notes', 'jpeg', 3, (from) => from.withIccProfile('p3').withExif(notes).jpeg()],
    ['WebP', 'webp', 3, (from) => from.webp()],
    ['WebP with an alpha channel', 'webp', 4, (from) => from.webp()],
    ['WebP without loss', 'webp', 3, (from) => from.webp({ lossless: true })],
    ['WebP without loss, with an alpha channel', 'webp', 4, (from) => from.webp({ lossless: true })],
    ['WebP with a profile', 'webp', 3, (from) => from.withIccProfile('p3').webp()],
  ];

  test.each(encoders)('%s: type, size and alpha channel', async (_, type, channels, encode) => {
    for (const [width, height] of sizes) {
      const bytes = await encode(blank(width, height, channels)).toBuffer();
      const { header } = await headerOf(bytes);
      const { hasAlpha } = await sharp(bytes).metadata();
      expect(header).toEqual({ mediaType: `image/${type}`, width, height, hasAlpha });
    }
  });
});

describe('a file that is damaged', () => {
  const images = Promise.all([
    blank(40, 30, 4).png().toBuffer(),
    blank(40, 30, 4).png({ palette: true }).toBuffer(),
    blank(40, 30, 3).jpeg().toBuffer(),
    blank(40, 30, 4).webp().toBuffer(),
    blank(40, 30, 4).webp({ lossless: true }).toBuffer(),
  ]);

  test('anywhere, or cut anywhere: a result or none, after few and small reads', async () => {
    const all = await images;
    const damage = fc.record({
      image: fc.nat(all.length - 1),
      changes: fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 20 }),
      cut: fc.option(fc.nat(300)),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ image, changes, cut }) => {
        const bytes = Buffer.from(all[image] as Buffer);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const { header, reads, given } = await headerOf(cut === null ? bytes : bytes.subarray(0, cut));
        if (header !== undefined) expect(header.width * header.height).toBeGreaterThan(0);
        expect(reads).toBeLessThan(1_010);
        expect(given).toBeLessThan(20_000);
      }),
      { numRuns: 1_000 },
    );
  });

  const png = (all: readonly Buffer[]) => all[0] as Buffer;
  test.each<[string, (all: readonly Buffer[]) => Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['a text', () => Buffer.from('<html></html>')],
    ['a PNG’s signature', (all) => png(all).subarray(0, 8)],
    ['a PNG cut in its first chunk', (all) => png(all).subarray(0, 30)],
    [
      'a PNG whose first chunk is another one',
      (all) => Buffer.from(png(all).toString('latin1').replace('IHDR', 'IDAT'), 'latin1'),
    ],
    ['a JPEG’s signature', () => Buffer.from('ffd8ffe0', 'hex')],
    ['a JPEG without a frame', () => Buffer.from('ffd8ffe00004aaaaffda000000000000000000', 'hex')],
    ['a JPEG that ends at once', () => Buffer.from('ffd8ffd900000000000000000000', 'hex')],
    [
      'a JPEG with something else between its segments',
      () => Buffer.from('ffd8ffe00004aaaa00000000000000000000', 'hex'),
    ],
    ['a WebP without a chunk', () => Buffer.from('RIFF\0\0\0\0WEBP')],
    ['a WebP of an unknown kind', () => Buffer.from(`RIFF\0\0\0\0WEBPVP9 ${'\0'.repeat(40)}`)],
    ['a GIF’s signature', () => Buffer.from('GIF89a\x01\0\x01')],
    ['a BMP', () => Buffer.from(`BM${'\x01'.repeat(40)}`)],
    ['SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')],
  ])('%s: none', async (_, make) => {
    expect((await headerOf(make(await images))).header).toBeUndefined();
  });
});

describe('a file of a great many parts', () => {
  test('a PNG: only the first of them are looked at', async () => {
    const whole = await blank(8, 8, 3).png().toBuffer();
    const chunk = Buffer.alloc(12);
    chunk.write('tEXt', 4);
    const parts = Array.from({ length: 100_000 }, () => chunk);
    const { header, reads } = await headerOf(Buffer.concat([whole.subarray(0, 33), ...parts, whole.subarray(33)]));
    expect(header).toMatchObject({ width: 8, height: 8, hasAlpha: false });
    expect(reads).toBeLessThan(1_010);
  });

  test('a JPEG: none', async () => {
    const parts = Array.from({ length: 100_000 }, () => Buffer.from('fffe0002', 'hex'));
    const { header, reads } = await headerOf(Buffer.concat([Buffer.from('ffd8', 'hex'), ...parts]));
    expect(header).toBeUndefined();
    expect(reads).toBeLessThan(1_010);
  });
});
