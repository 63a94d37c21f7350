import { regroup } from './regroup.ts';

/** Base64 text of binary chunks, cut anywhere, without line breaks: four characters for three bytes. */
export function encodeBase64(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  return regroup(chunks, 3, (bytes) => Buffer.from(bytes.toString('base64'), 'latin1'));
}

/**
 * The bytes of a base64 text, cut anywhere. Each piece is valid only until the next one is asked for: they share one
 * buffer, so that hosting many large pictures at once does not wait for the garbage collector.
 */
export function decodeBase64(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let shared: Buffer = Buffer.alloc(0);
  return regroup(pieces, 4, (text) => {
    const most = (text.length / 4) * 3 + 3;
    if (shared.length < most) shared = Buffer.allocUnsafeSlow(most);
    return shared.subarray(0, shared.write(text.toString('latin1'), 'base64'));
  });
}
