import type { ImageHeader, ReadAt } from './image-header.ts';

/** Real metadata has a few kilobytes, for a photo of 50 tiles. */
const maxMetadata = 256 * 1024;

/** Real files have a handful of boxes before their metadata, and in it. */
const maxBoxes = 1_000;

/** HEIF's way to say that an auxiliary image is the transparency of another one. */
const alphaType = /urn:mpeg:(mpegB:cicp:systems:auxiliary:alpha|hevc:2015:auxid:1)\0/;

/** Whether a file is of the family of ISO 14496-12 to which HEIC and AVIF belong, by its first bytes. */
export function isHeif(start: Buffer): boolean {
  return /^(avi[fs]|hei[cmsx]|hev[cmsx]|mif[12]|msf1)$/.test(start.toString('latin1', 8, 12)) && isType(start, 'ftyp');
}

function isType(box: Buffer, type: string): boolean {
  return box.toString('latin1', 4, 8) === type;
}

/**
 * The header of a HEIC or AVIF file (ISO 23008-12): its codec is that of its items, its size the largest of them, so that no
 * tile or thumbnail hides one that is larger. `undefined`: it is neither, or its metadata is damaged.
 */
export async function readHeif(read: ReadAt): Promise<ImageHeader | undefined> {
  const metadata = await readMetadata(read);
  if (metadata === undefined) return undefined;
  try {
    const properties = boxesIn(childOf(childOf(metadata, 'iprp'), 'ipco'));
    const sizes = properties.filter(({ type }) => type === 'ispe').map(({ body }) => sizeIn(body));
    const largest = sizes.toSorted((one, other) => other.width * other.height - one.width * one.height)[0];
    const mediaType = mediaTypeOf(metadata);
    if (largest === undefined || mediaType === undefined) return undefined;
    const hasAlpha = properties.some(({ type, body }) => type === 'auxC' && alphaType.test(body.toString('latin1')));
    return { mediaType, ...largest, hasAlpha };
  } catch (error) {
    // A length or a count leads beyond the end.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The boxes of the metadata of the whole file. */
async function readMetadata(read: ReadAt): Promise<Buffer | undefined> {
  let position = 0;
  for (let box = 0; box < maxBoxes; box += 1) {
    const head = await read(position, 16);
    if (head.length < 8) return undefined;
    const length = lengthOf(head);
    if (length === undefined || length < 8) return undefined;
    if (isType(head, 'meta')) {
      // Behind its version and flags.
      return length > maxMetadata ? undefined : read(position + 12, length - 12);
    }
    position += length;
  }
  return undefined;
}

/** `undefined`: it reaches to the end of the file, or further than a number can say. */
function lengthOf(head: Buffer): number | undefined {
  const length = head.readUInt32BE(0);
  if (length !== 1) return length === 0 ? undefined : length;
  const large = head.length < 16 ? 0n : head.readBigUInt64BE(8);
  return large > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(large);
}

type Box = { readonly type: string; readonly body: Buffer };

function boxesIn(bytes: Buffer): readonly Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at + 8 <= bytes.length && boxes.length < maxBoxes; ) {
    const length = bytes.readUInt32BE(at);
    if (length < 8) throw new RangeError('a box is shorter than its head');
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), body: bytes.subarray(at + 8, at + length) });
    at += length;
  }
  return boxes;
}

function childOf(bytes: Buffer, name: string): Buffer {
  return boxesIn(bytes).find(({ type }) => type === name)?.body ?? Buffer.alloc(0);
}

function sizeIn(body: Buffer): { readonly width: number; readonly height: number } {
  return { width: body.readUInt32BE(4), height: body.readUInt32BE(8) };
}

/** By what its items are: a photo of tiles has them beside the item that puts them together. */
function mediaTypeOf(metadata: Buffer): ImageHeader['mediaType'] | undefined {
  const info = childOf(metadata, 'iinf');
  if (info.length < 6) return undefined;
  const entries = boxesIn(info.subarray(info.readUInt8(0) === 0 ? 6 : 8)).filter(({ type }) => type === 'infe');
  const types = entries.map(({ body }) => itemType(body));
  if (types.includes('hvc1')) return 'image/heic';
  return types.includes('av01') ? 'image/avif' : undefined;
}

/** The ids of items are longer from version 3 on. */
function itemType(entry: Buffer): string {
  const at = entry.readUInt8(0) < 3 ? 8 : 10;
  return entry.toString('latin1', at, at + 4);
}
