import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inflateBody } from '../../src/upstream/inflate-body.ts';

const text = Buffer.from('{"created":1,"data":[]}'.repeat(1000));
const packings: [string, (bytes: Buffer) => Buffer][] = [
  ['gzip', gzipSync],
  [' GZip ', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
];

const inPieces = (bytes: Buffer, length: number) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
    })(),
  );

test.each(['constructor', '__proto__', 'toString', 'zstd'])('the encoding %s leaves a body as it is', (encoding) => {
  const body = Readable.from([]);
  expect(inflateBody(body, encoding)).toBe(body);
});

describe('a body that was compressed without being asked for', () => {
  test.each(packings)('as %j is unpacked, however it is cut', async (encoding, pack) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), async (length) => {
        const body = inflateBody(inPieces(pack(text), length), encoding);
        expect((await buffer(body)).equals(text)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test.each(packings)('as %j breaks when it is cut', async (encoding, pack) => {
    const packed = pack(text);
    const body = inflateBody(Readable.from([packed.subarray(0, packed.length - 5)]), encoding);
    await expect(buffer(body)).rejects.toThrow();
  });

  test('breaks when it is not what it says', async () => {
    await expect(buffer(inflateBody(Readable.from([text]), 'gzip'))).rejects.toThrow();
  });

  test('breaks with its connection', async () => {
    const source = new PassThrough();
    const reading = buffer(inflateBody(source, 'gzip'));
    source.write(gzipSync(text).subarray(0, 20));
    source.destroy(new Error('reset'));
    await expect(reading).rejects.toThrow('reset');
  });

  test('ends its connection when its reader leaves', async () => {
    const source = new PassThrough();
    const body = inflateBody(source, 'gzip');
    source.write(gzipSync(text).subarray(0, 20));
    const closed = once(source, 'close').catch(() => {});
    body.destroy();
    await closed;
    expect(source.destroyed).toBe(true);
  });
});

test.each([undefined, '', 'identity', 'zstd', 'gzip, br'])('a body called %j is left as it is', async (encoding) => {
  const source = Readable.from([text]);
  const body = inflateBody(source, encoding);
  expect(body).toBe(source);
  expect((await buffer(body)).equals(text)).toBe(true);
});
