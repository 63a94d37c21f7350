import sharp, { type Sharp } from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decodeHeic } from '../../src/conversion/decode-heic.ts';
import { createImageConverter } from '../../src/conversion/image-conversions.ts';
import type { ConversionOrder, ImageConverter } from '../../src/domain/image-conversion.ts';
import type { ConversionRecord } from '../../src/domain/recorder.ts';
import { createTemporaryInputStores } from '../../src/storage/temporary-input-store.ts';
import { temporaryDirectory } from '../end-to-end/edits.ts';
import { opaqueHeic, rotatedHeic, transparentHeic } from '../fixtures/heic.ts';
import { asStream } from '../helpers/json-text.ts';

const records: ConversionRecord[] = [];
const converter = createImageConverter({ imageConverted: (one) => records.push(one) }, true) as ImageConverter;

/** A file of an image, converted: what is said of it, and its bytes. */
async function convert(bytes: Buffer, order: Partial<ConversionOrder> = {}) {
  const store = createTemporaryInputStores(await temporaryDirectory())('someone');
  onTestFinished(() => store.release());
  const image = await store.put(asStream([bytes]));
  const { signal } = new AbortController();
  const whole = { format: 'png', compression: 100, kind: 'input', image, from: store, into: store, signal } as const;
  const said = await converter.convert({ ...whole, ...order });
  return { said, file: Buffer.concat(await Array.fromAsync(store.open(said))) };
}

/** Red at the left, blue at the right. */
function twoColours(width = 40, height = 20): Sharp {
  const red = { create: { width: width / 2, height, channels: 3, background: 'red' } } as const;
  const blue = sharp({ create: { width, height, channels: 3, background: 'blue' } });
  return blue.composite([{ input: red, left: 0, top: 0 }]);
}

async function pixel(file: Buffer, left: number, top: number): Promise<number[]> {
  const { data } = await sharp(file)
    .extract({ left, top, width: 1, height: 1 })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return [...data];
}

const near = (colour: readonly number[], expected: readonly number[]) =>
  expected.every((value, index) => Math.abs(value - (colour[index] ?? 0)) < 30);

describe('a file', () => {
  test.each(['png', 'jpeg', 'webp', 'gif', 'avif'] as const)('as %s becomes each of the formats', async (from) => {
    const bytes = await twoColours().toFormat(from).toBuffer();
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const { said, file } = await convert(bytes, { format });
      expect(said).toMatchObject({ type: `image/${format}`, width: 40, height: 20, size: file.length });
      expect(await sharp(file).metadata()).toMatchObject({ format, width: 40, height: 20 });
      expect(near(await pixel(file, 3, 10), [255, 0, 0])).toBe(true);
    }
  });

  test('as HEIC is decoded, with its transparency', async () => {
    const opaque = await convert(opaqueHeic, { format: 'jpeg' });
    expect(opaque.said).toMatchObject({ type: 'image/jpeg', width: 64, height: 48 });
    expect(near(await pixel(opaque.file, 60, 45), [240, 225, 128])).toBe(true);
    const transparent = await convert(transparentHeic);
    expect(transparent.said).toMatchObject({ type: 'image/png', hasAlpha: true });
    expect((await pixel(transparent.file, 2, 2))[3]).toBe(0);
  });

  test.each(['heim', 'heis', 'mif2', 'msf1'])('as HEIC of the brand %s is decoded', async (brand) => {
    const bytes = Buffer.from(opaqueHeic);
    bytes.write(brand, 8, 'latin1');
    expect((await convert(bytes, { format: 'jpeg' })).said).toMatchObject({ width: 64, height: 48 });
  });

  test('as HEIC is not decoded for a request that has ended', async () => {
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(convert(opaqueHeic, { signal })).rejects.toThrow('gone');
    await expect(decodeHeic(Buffer.from(opaqueHeic), signal)).rejects.toThrow('gone');
  });

  test('with an edge that WebP does not have is told so, and not called damaged', async () => {
    const wide = await sharp({ create: { width: 16_384, height: 1, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    await expect(convert(wide, { format: 'webp' })).rejects.toThrow('an edge of a WebP has at most 16383');
    expect((await convert(wide, { format: 'jpeg' })).said).toMatchObject({ width: 16_384 });
  });

  test('is turned upright, and loses its metadata', async () => {
    const exif = { IFD0: { Copyright: 'somebody' } };
    const bytes = await twoColours().withExif(exif).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const { said, file } = await convert(bytes);
    expect(said).toMatchObject({ width: 20, height: 40 });
    // What was at the left is at the top.
    expect(near(await pixel(file, 10, 3), [255, 0, 0])).toBe(true);
    const { orientation, exif: left, icc } = await sharp(file).metadata();
    expect([orientation, left, icc]).toEqual([undefined, undefined, undefined]);
    expect((await convert(rotatedHeic)).said).toMatchObject({ width: 48, height: 64 });
  });

  test('in CMYK, or with 16 bits, becomes an image that everybody reads', async () => {
    const cmyk = await twoColours().toColourspace('cmyk').jpeg().toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const fromCmyk = await convert(cmyk);
    expect((await sharp(fromCmyk.file).metadata()).space).toBe('srgb');
    expect(near(await pixel(fromCmyk.file, 3, 10), [255, 0, 0])).toBe(true);
    const deep = await twoColours().toColourspace('rgb16').png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    const fromDeep = await convert(deep, { format: 'webp' });
    expect(near(await pixel(fromDeep.file, 3, 10), [255, 0, 0])).toBe(true);
  });

  test('with transparency becomes a JPEG on white', async () => {
    const clear = sharp({ create: { width: 8, height: 8, channels: 4, background: '#00000000' } });
    const { file } = await convert(await clear.png().toBuffer(), { format: 'jpeg' });
    expect(near(await pixel(file, 4, 4), [255, 255, 255])).toBe(true);
  });

  test('gets the quality that is asked for', async () => {
    const noise = sharp({
      create: { width: 64, height: 64, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 40 } } as never,
    });
    const bytes = await noise.png().toBuffer();
    const sizes = await Promise.all(
      [0, 50, 100].map(async (compression) => (await convert(bytes, { format: 'webp', compression })).said.size),
    );
    expect(sizes).toEqual(sizes.toSorted((one, other) => one - other));
    expect(new Set(sizes).size).toBe(3);
  });
});

describe('conversions', () => {
  test('run two at a time; one that is given up while it waits leaves the queue', async () => {
    const bytes = await twoColours(1600, 1200).png().toBuffer();
    const giveUp = new AbortController();
    const reason = new Error('the request has ended');
    const all = Promise.all([1, 2, 3, 4].map(() => convert(bytes, { format: 'webp' })));
    const given = convert(bytes, { format: 'webp', signal: giveUp.signal });
    giveUp.abort(reason);
    await expect(given).rejects.toBe(reason);
    expect((await all).map(({ said }) => said.type)).toEqual(Array.from({ length: 4 }, () => 'image/webp'));
  });

  test('are recorded, with what became of them', async () => {
    records.length = 0;
    await convert(await twoColours().gif().toBuffer(), { kind: 'partial' });
    await expect(convert(Buffer.from('a text'))).rejects.toThrow(/damaged/);
    expect(records).toMatchObject([
      { from: 'image/gif', to: 'png', kind: 'partial', outcome: 'converted' },
      { from: undefined, to: 'png', kind: 'input', outcome: 'unusable' },
    ]);
  });
});
