import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dataUrl, dataUrlLength } from '../../src/codec/data-url.ts';
import { inputMediaTypes } from '../../src/domain/image-input.ts';
import { asStream, cut, handwriting } from '../helpers/json-text.ts';

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
