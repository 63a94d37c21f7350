import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { readImageHeader } from '../../src/codec/image-header.ts';
import { opaqueHeic, rotatedHeic, transparentHeic } from '../fixtures/heic.ts';

const headerOf = (bytes: Buffer) =>
  readImageHeader(async (position, length) => bytes.subarray(position, position + length));

const avif = (channels: 3 | 4) =>
  sharp({ create: { width: 40, height: 30, channels, background: '#33669980' } })
    .avif()
    .toBuffer();

describe('the header of a file of the HEIF family', () => {
  test('tells HEIC by its items, its size, and whether it has transparency', async () => {
    // Its codec makes blocks of 64 pixels, which a further property cuts.
    const size = { width: 64, height: 64 };
    expect(await headerOf(opaqueHeic)).toEqual({ mediaType: 'image/heic', ...size, hasAlpha: false });
    expect(await headerOf(transparentHeic)).toEqual({ mediaType: 'image/heic', ...size, hasAlpha: true });
    expect(await headerOf(rotatedHeic)).toMatchObject({ mediaType: 'image/heic', hasAlpha: false });
  });

  test('tells AVIF likewise', async () => {
    const header = { mediaType: 'image/avif', width: 40, height: 30 };
    expect(await headerOf(await avif(3))).toEqual({ ...header, hasAlpha: false });
    expect(await headerOf(await avif(4))).toEqual({ ...header, hasAlpha: true });
  });

  test('tells the codec, and not the brand, that a file claims', async () => {
    const branded = Buffer.from(opaqueHeic);
    branded.write('mif1', 8, 'latin1');
    expect((await headerOf(branded))?.mediaType).toBe('image/heic');
  });

  test('has no size that hides a larger one', async () => {
    const heic = Buffer.from(transparentHeic);
    const last = heic.lastIndexOf('ispe', undefined, 'latin1');
    heic.writeUInt32BE(30_000, last + 8);
    expect((await headerOf(heic))?.width).toBe(30_000);
  });

  test('is none in a damaged file, which is read in bounds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(420), fc.nat(0xffffffff), async (at, value) => {
        const damaged = Buffer.from(opaqueHeic);
        damaged.writeUInt32BE(value, at);
        let reads = 0;
        const header = await readImageHeader(async (position, length) => {
          reads += 1;
          return damaged.subarray(position, position + length);
        });
        expect(reads).toBeLessThan(1_005);
        if (header) expect(header.width * header.height).toBeGreaterThan(0);
      }),
    );
    for (let length = 12; length < 420; length += 7) {
      expect((await headerOf(opaqueHeic.subarray(0, length)))?.mediaType).not.toBe('image/png');
    }
  });
});
