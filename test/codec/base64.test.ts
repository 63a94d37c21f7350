import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Base64Check, dataUrl, dataUrlLength, decodeBase64, encodeBase64 } from '../../src/codec/base64.ts';
import { inputMediaTypes } from '../../src/domain/image-input.ts';
import { asStream, cut, handwriting } from '../helpers/json-text.ts';

test('encodeBase64 gives the base64 of the whole, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), handwriting, async (bytes, hand) => {
      const pieces = await Array.fromAsync(encodeBase64(asStream(cut(Buffer.from(bytes), hand))));
      expect(Buffer.concat(pieces).toString()).toBe(Buffer.from(bytes).toString('base64'));
    }),
    { numRuns: 1000 },
  );
});

/** The rule, as a pattern: RFC 4648, section 4, with the bits behind the last byte zero. */
const canonical = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

function isBase64(pieces: readonly Buffer[]): boolean {
  const check = new Base64Check();
  return pieces.every((piece) => check.add(piece)) && check.isComplete;
}

test('Base64Check takes the base64 of any bytes, however it is cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), handwriting, (bytes, hand) => {
      expect(isBase64(cut(Buffer.from(Buffer.from(bytes).toString('base64')), hand))).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('Base64Check and its pattern agree on texts that are nearly base64', () => {
  const character = fc.constantFrom(...'ABEQw049+/=-_ \n"\\\u0000\u0007\u00e9');
  const text = fc.oneof(
    fc.string({ unit: character, maxLength: 12 }),
    fc
      .tuple(fc.base64String({ maxLength: 40 }), fc.string({ unit: character, maxLength: 3 }))
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, handwriting, (text, hand) => {
      expect(isBase64(cut(Buffer.from(text, 'latin1'), hand))).toBe(canonical.test(text));
    }),
    { numRuns: 5000 },
  );
});

test('Base64Check finds any byte that is not base64, wherever it stands in a long text', () => {
  const long = Buffer.alloc(200_000, 'QUJD');
  expect(isBase64([long])).toBe(true);
  for (const at of [0, 1, 65_535, 65_536, 131_071, 131_072, 199_999]) {
    for (const byte of [0x00, 0x0a, 0x20, 0x22, 0x2d, 0x3d, 0x5c, 0x5f, 0x7f, 0x80, 0xff]) {
      const damaged = Buffer.from(long);
      damaged[at] = byte;
      // Padding at the end of `QUJ=` is legal by its place, but leaves stray bits.
      expect([at, byte, isBase64([damaged])]).toEqual([at, byte, false]);
    }
  }
});

test.each(['QUJ-', 'QUJ_', 'QUJ', 'QQ', 'QR==', 'QUJ=', 'QUI=='])('decodeBase64 refuses %s', async (text) => {
  const decoded = Array.fromAsync(decodeBase64(asStream([Buffer.from(text)]), () => new Error('damaged')));
  await expect(decoded).rejects.toThrow('damaged');
});

const textOf = async (pieces: AsyncIterable<Buffer>) => Buffer.concat(await Array.fromAsync(pieces)).toString('latin1');

describe('a data URL', () => {
  test.each([
    ['', ''],
    ['a', 'YQ=='],
    ['ab', 'YWI='],
    ['abc', 'YWJj'],
    ['abcd', 'YWJjZA=='],
  ])('of %j is its base64 behind the type', async (text, base64) => {
    expect(await textOf(dataUrl('image/png', asStream([Buffer.from(text)])))).toBe(`data:image/png;base64,${base64}`);
  });

  test('is the image’s, of any type and however it is cut, and as long as was said before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 500 }),
        fc.constantFrom(...inputMediaTypes),
        handwriting,
        async (array, type, hand) => {
          const bytes = Buffer.from(array);
          const url = await textOf(dataUrl(type, asStream(cut(bytes, hand))));
          expect(url).toBe(`data:${type};base64,${bytes.toString('base64')}`);
          expect(dataUrlLength({ type, size: bytes.length })).toBe(url.length);
          const read = await fetch(url);
          expect([read.headers.get('content-type'), Buffer.from(await read.arrayBuffer())]).toEqual([type, bytes]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test.each(['QUJD!!!!', 'QUJD\u00e9QUJ', 'QQ==QUJD', 'QUJD*', 'QUJDQ'])(
  'decodeBase64 refuses the damaged text %j',
  async (text) => {
    const decoded = Array.fromAsync(decodeBase64(asStream([Buffer.from(text, 'latin1')]), () => new Error('damaged')));
    await expect(decoded).rejects.toThrow('damaged');
  },
);

test('decodeBase64 gives the bytes, however the text is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), handwriting, async (bytes, hand) => {
      const pieces = cut(Buffer.from(Buffer.from(bytes).toString('base64')), hand);
      const parts: Buffer[] = [];
      for await (const part of decodeBase64(asStream(pieces), () => new Error('damaged')))
        parts.push(Buffer.from(part));
      const decoded = Buffer.concat(parts);
      expect(decoded).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 1000 },
  );
});
