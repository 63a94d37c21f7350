/** The bytes of a base64 text, cut anywhere. */
export async function* decodeBase64(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let carry = '';
  for await (const piece of pieces) {
    const text = carry + piece.toString('latin1');
    // Only whole groups of four characters stand for bytes of their own; the rest waits for the next piece.
    const whole = text.length - (text.length % 4);
    carry = text.slice(whole);
    if (whole > 0) yield Buffer.from(text.slice(0, whole), 'base64');
  }
  if (carry !== '') yield Buffer.from(carry, 'base64');
}
