import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeBase64 } from '../../src/domain/base64.ts';
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
