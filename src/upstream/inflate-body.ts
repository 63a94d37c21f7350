import { pipeline, Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { ResponseBody } from './exchange.ts';

/** Far above any response; a small one that unpacks to gigabytes ends here. */
const maxBytes = 256 * 1024 * 1024;

const decoders: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

/**
 * The body of a response that is compressed although nobody asked for that: it was paid for all the same. A body that
 * unpacks to too much, or is damaged, breaks; an encoding that is not known leaves it as it is.
 */
export function inflateBody(body: ResponseBody, encoding = ''): ResponseBody {
  const decoder = decoders.get(encoding.trim().toLowerCase())?.();
  if (decoder === undefined) return body;
  // What breaks in one of them destroys all, so that the reader of the last one sees it.
  const inflated = pipeline(Readable.from(body), decoder, atMost(maxBytes), () => {});
  return inflated.once('close', () => body.destroy());
}

function atMost(limit: number): Transform {
  let length = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      if (length > limit) done(new Error('the response unpacks to too much'));
      else done(null, chunk);
    },
  });
}
