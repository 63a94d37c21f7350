import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const megabyte = 1024 * 1024;
const pngChunkOverhead = 12;
const jpegSegment = 64 * 1024;

// Noise, so that no compression on the way makes the padding small; the same on every run.
function noise(byteLength: number): Buffer {
  return createHash('shake256', { outputLength: byteLength }).update('padding').digest();
}

/** One megabyte of PNG: an ancillary, private chunk that every decoder skips (PNG specification, chunk naming). */
function pngBlock(): Buffer {
  const block = noise(megabyte);
  const dataLength = megabyte - pngChunkOverhead;
  block.writeUInt32BE(dataLength, 0);
  // Lower case at the first letter says ancillary, at the second private, at the last safe to copy.
  block.write('noIs', 4, 'latin1');
  block.writeUInt32BE(crc32(block.subarray(4, 8 + dataLength)), 8 + dataLength);
  return block;
}

/** One megabyte of JPEG: comment segments of 64 KiB, the largest there are. */
function jpegBlock(): Buffer {
  const block = noise(megabyte);
  for (let start = 0; start < megabyte; start += jpegSegment) {
    block.writeUInt16BE(0xfffe, start);
    block.writeUInt16BE(jpegSegment - 2, start + 2);
  }
  return block;
}

const blocks: { png?: Buffer; jpeg?: Buffer } = {};

// Where padding may begin: after a PNG's signature and IHDR chunk, after a JPEG's start marker.
const headLength = { png: 33, jpeg: 2 } as const;

/**
 * Makes an image larger by whole megabytes (1 048 576 bytes) without changing what it shows.
 * The padding is one block that is repeated, so 64 MB of it cost 1 MB of memory.
 */
export function padImage(image: Buffer, format: 'png' | 'jpeg', megabytes: number): Buffer[] {
  blocks[format] ??= format === 'png' ? pngBlock() : jpegBlock();
  const block = blocks[format];
  const head = headLength[format];
  return [image.subarray(0, head), ...Array.from({ length: megabytes }, () => block), image.subarray(head)];
}
