const none = Buffer.alloc(0);

/**
 * Converts bytes that come cut anywhere, in pieces of whole groups: what does not fill a group waits for the next chunk.
 * Chunks are not joined, because what images of many megabytes leave behind for the garbage collector adds up.
 */
export async function* regroup(
  chunks: AsyncIterable<Buffer>,
  size: number,
  convert: (bytes: Buffer) => Buffer,
): AsyncGenerator<Buffer> {
  let carry: Buffer = none;
  for await (const chunk of chunks) {
    const missing = carry.length === 0 ? 0 : Math.min(size - carry.length, chunk.length);
    if (missing > 0) carry = Buffer.concat([carry, chunk.subarray(0, missing)]);
    if (carry.length === size) {
      yield convert(carry);
      carry = none;
    }
    const whole = chunk.length - ((chunk.length - missing) % size);
    if (whole > missing) yield convert(chunk.subarray(missing, whole));
    if (whole < chunk.length) carry = Buffer.from(chunk.subarray(whole));
  }
  if (carry.length > 0) yield convert(carry);
}
