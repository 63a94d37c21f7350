import { regroup } from './regroup.ts';

/** Base64 text of binary chunks, cut anywhere, without line breaks: four characters for three bytes. */
export function encodeBase64(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  return regroup(chunks, 3, (bytes) => Buffer.from(bytes.toString('base64'), 'latin1'));
}

/**
 * The bytes of a base64 text, cut anywhere. Each piece is valid only until the next one is asked for: they share one
 * buffer, so that many large pictures at once do not wait for the garbage collector. Throws what `damaged` gives for
 * anything that is not base64.
 */
export function decodeBase64(pieces: AsyncIterable<Buffer>, damaged: () => Error): AsyncGenerator<Buffer> {
  let shared: Buffer = Buffer.alloc(0);
  let isPadded = false;
  return regroup(pieces, 4, (text) => {
    const most = (text.length / 4) * 3 + 3;
    if (shared.length < most) shared = Buffer.allocUnsafeSlow(most);
    const length = shared.write(text.toString('latin1'), 'base64');
    // Node's decoder skips what is not base64, and stops at padding: a part of the file would be missing.
    // Padding ends the text.
    if (isPadded) throw damaged();
    isPadded = text.at(-1) === 0x3d;
    // One character of a group is too few for a byte.
    if (text.length % 4 === 1 || length !== decodedLength(text)) throw damaged();
    return shared.subarray(0, length);
  });
}

function decodedLength(text: Buffer): number {
  const padding = text.at(-1) !== 0x3d ? 0 : text.at(-2) === 0x3d ? 2 : 1;
  return Math.floor(((text.length - padding) * 3) / 4);
}
