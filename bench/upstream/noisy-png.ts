import { randomBytes } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';

const width = 1024;
const signature = Buffer.from('89504e470d0a1a0a', 'hex');

/** A PNG of about that many bytes that can be decoded: colours at random, which cannot be compressed. */
export function noisyPng(bytes: number): Buffer {
  const height = Math.max(1, Math.round(bytes / (3 * width + 1)));
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  // Eight bits of red, green and blue.
  head.set([8, 2, 0, 0, 0], 8);
  // Each row begins with its filter: none.
  const rows = Array.from({ length: height }, () => Buffer.concat([Buffer.alloc(1), randomBytes(3 * width)]));
  const pixels = deflateSync(Buffer.concat(rows), { level: 1 });
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
