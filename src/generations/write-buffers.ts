// Buffers are used again: large ones that come and go cost more in garbage collection than the work that is done in them.

export const noBuffer: Buffer = Buffer.alloc(0);

const spare: Buffer[] = [];
const maxSpare = 16;
const minLength = 64 * 1024;

/** For about so many bytes, and 64 KiB at least. The lengths are powers of two, so that buffers fit again. */
export function takeBuffer(bytes: number): Buffer {
  const length = 2 ** Math.floor(Math.log2(Math.max(bytes, minLength)));
  const found = spare.findIndex((buffer) => buffer.length === length);
  return found < 0 ? Buffer.allocUnsafeSlow(length) : (spare.splice(found, 1)[0] as Buffer);
}

/** The caller must not use it any more. */
export function giveBuffer(buffer: Buffer): void {
  if (buffer.length > 0 && spare.length < maxSpare) spare.push(buffer);
}
