import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/codec/base64.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { deliverUrl, dropPartialImages } from '../../src/generations/delivery.ts';
import { asStream, cut, handwriting } from '../helpers/json-text.ts';

/** Keeps images in memory, under the numbers in which they came. */
function memory() {
  const files: Buffer[] = [];
  return {
    files,
    async host(bytes: AsyncIterable<Buffer>): Promise<string> {
      const parts: Buffer[] = [];
      for await (const part of bytes) parts.push(Buffer.from(part));
      return `https://gateway.example/${files.push(Buffer.concat(parts)) - 1}`;
    },
  };
}

function image(index: number, text: string, isPartial = false): ImageEvent[] {
  const base64 = Buffer.from(text).toString('base64');
  return [
    { type: 'image', index, isPartial },
    { type: 'bytes', chunk: Buffer.from(base64.slice(0, 3)) },
    { type: 'bytes', chunk: Buffer.from(base64.slice(3)) },
    { type: 'image-end', index, ...(text === 'b' && { revisedPrompt: 'better' }) },
  ];
}

describe('deliverUrl', () => {
  test('hosts every image, and gives its link with what stood beside it', async () => {
    const store = memory();
    const events: ImageEvent[] = [...image(0, 'aa'), ...image(1, 'b'), { type: 'done' }];
    const answer = await deliverUrl(asStream(events), store.host);
    expect(store.files.map(String)).toEqual(['aa', 'b']);
    expect(answer).toEqual([
      { type: 'url', index: 0, url: 'https://gateway.example/0' },
      { type: 'url', index: 1, url: 'https://gateway.example/1', revisedPrompt: 'better' },
      { type: 'done' },
    ]);
  });

  test('leaves links of the upstream as they are', async () => {
    const link: ImageEvent = { type: 'url', index: 0, url: 'https://blob.example/1' };
    expect(await deliverUrl(asStream<ImageEvent>([link, { type: 'done' }]), memory().host)).toEqual([
      link,
      { type: 'done' },
    ]);
  });

  test('rejects with what the store says, and lets go of the upstream', async () => {
    let isClosed = false;
    async function* upstream() {
      try {
        yield* image(0, 'aa');
      } finally {
        isClosed = true;
      }
    }
    const full = () => Promise.reject(new Error('the disk is full'));
    await expect(deliverUrl(upstream(), full)).rejects.toThrow('the disk is full');
    expect(isClosed).toBe(true);
  });

  test('rejects with what the upstream throws in the middle of an image', async () => {
    async function* upstream(): AsyncGenerator<ImageEvent> {
      yield* image(0, 'aa').slice(0, 2);
      throw new Error('cut');
    }
    await expect(deliverUrl(upstream(), memory().host)).rejects.toThrow('cut');
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

test('dropPartialImages leaves the images themselves', async () => {
  const events = [...image(0, 'rough', true), ...image(0, 'fine'), { type: 'done' } as const];
  expect(await Array.fromAsync(await dropPartialImages(asStream(events)))).toEqual([
    ...image(0, 'fine'),
    { type: 'done' },
  ]);
});
