/** Base64 text of binary chunks, cut anywhere, without line breaks. */
export async function* encodeBase64(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let carry: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk]);
    // Only whole groups of three bytes have a base64 text of their own; the rest waits for the next chunk.
    const whole = bytes.length - (bytes.length % 3);
    carry = bytes.subarray(whole);
    if (whole > 0) yield base64Text(bytes.subarray(0, whole));
  }
  if (carry.length > 0) yield base64Text(carry);
}

function base64Text(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64'), 'latin1');
}
