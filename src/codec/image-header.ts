import type { InputMediaType } from '../domain/image-input.ts';
import { isHeif, readHeif } from './heif-header.ts';

/** How many bytes of a file `imageMediaType` needs to see. */
export const imageHeaderBytes = 12;

/** So many base64 characters hold those bytes. */
export const imageHeaderCharacters = (imageHeaderBytes / 3) * 4;

/**
 * The media type of an image by its first bytes (PNG, JPEG, GIF, WebP signatures; SVG by its opening tag),
 * or `undefined` for anything else.
 */
export function imageMediaType(header: Buffer): string | undefined {
  const text = header.toString('latin1');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'image/gif';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  if (text.startsWith('<svg') || text.startsWith('<?xml')) return 'image/svg+xml';
  return undefined;
}

/** The same of a file in base64, by the beginning of its text. */
export function base64MediaType(text: string): string | undefined {
  return imageMediaType(Buffer.from(text.slice(0, imageHeaderCharacters), 'base64'));
}

/** How the name of a file of this media type ends. */
export function imageExtension(mediaType: string): string {
  return mediaType.replace(/^image\/|\+xml$/g, '').replace('jpeg', 'jpg');
}

/** Bytes of a file from a position on; fewer where it ends. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

/** What a file's header says about the image in it. */
export type ImageHeader = {
  readonly mediaType: InputMediaType;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
};

/** Real headers have fewer parts; without a limit a hostile file of tiny parts would be read byte by byte. */
const maxParts = 1_000;

/**
 * Reads the header of a PNG, JPEG, WebP, GIF, AVIF or HEIC file; the image itself is never decoded. `undefined`: it is none of
 * these, or its header is damaged.
 */
export async function readImageHeader(read: ReadAt): Promise<ImageHeader | undefined> {
  const start = await read(0, imageHeaderBytes);
  const reader = isHeif(start) ? readHeif : readers.get(imageMediaType(start) ?? '');
  const header = await reader?.(read);
  return header && header.width > 0 && header.height > 0 ? header : undefined;
}

const readers: ReadonlyMap<string, (read: ReadAt) => Promise<ImageHeader | undefined>> = new Map([
  ['image/png', readPng],
  ['image/jpeg', readJpeg],
  ['image/webp', readWebp],
  ['image/gif', readGif],
]);

/** GIF89a, 18: the screen on which the frames are drawn. Any frame may have transparent pixels. */
async function readGif(read: ReadAt): Promise<ImageHeader | undefined> {
  const start = await read(6, 4);
  if (start.length < 4) return undefined;
  return { mediaType: 'image/gif', width: start.readUInt16LE(0), height: start.readUInt16LE(2), hasAlpha: true };
}

/** PNG 3rd edition, 11.2.1 (IHDR) and 11.3.1 (tRNS, which stands before the first IDAT). */
async function readPng(read: ReadAt): Promise<ImageHeader | undefined> {
  const start = await read(8, 25);
  if (start.length < 25 || start.toString('latin1', 4, 8) !== 'IHDR') return undefined;
  const colorType = start.readUInt8(17);
  const hasAlpha = colorType === 4 || colorType === 6 || (await hasTransparencyChunk(read));
  return { mediaType: 'image/png', width: start.readUInt32BE(8), height: start.readUInt32BE(12), hasAlpha };
}

async function hasTransparencyChunk(read: ReadAt): Promise<boolean> {
  let position = 33;
  for (let part = 0; part < maxParts; part += 1) {
    const head = await read(position, 8);
    const type = head.toString('latin1', 4);
    if (head.length < 8 || type === 'IDAT' || type === 'IEND') return false;
    if (type === 'tRNS') return true;
    position += head.readUInt32BE(0) + 12;
  }
  return false;
}

/** ITU-T T.81, B.2.2: the size stands in the first start-of-frame segment, behind any number of others. */
async function readJpeg(read: ReadAt): Promise<ImageHeader | undefined> {
  let position = 2;
  for (let part = 0; part < maxParts; part += 1) {
    const segment = await read(position, 9);
    if (segment.length < 9 || segment[0] !== 0xff) return undefined;
    const marker = segment.readUInt8(1);
    // A marker may be filled up with 0xff, and some stand alone.
    if (marker === 0xff) position += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) position += 2;
    else if (isStartOfFrame(marker)) {
      return {
        mediaType: 'image/jpeg',
        height: segment.readUInt16BE(5),
        width: segment.readUInt16BE(7),
        hasAlpha: false,
      };
    } else if (marker === 0xd9 || marker === 0xda) return undefined;
    else position += 2 + segment.readUInt16BE(2);
  }
  return undefined;
}

function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** RFC 9649, 2.5 to 2.7: three forms of the first chunk. */
async function readWebp(read: ReadAt): Promise<ImageHeader | undefined> {
  const start = await read(12, 18);
  if (start.length < 18) return undefined;
  const mediaType = 'image/webp';
  switch (start.toString('latin1', 0, 4)) {
    case 'VP8X':
      return {
        mediaType,
        width: start.readUIntLE(12, 3) + 1,
        height: start.readUIntLE(15, 3) + 1,
        hasAlpha: (start.readUInt8(8) & 0x10) !== 0,
      };
    case 'VP8L': {
      const bits = start.readUInt32LE(9);
      return {
        mediaType,
        width: (bits & 0x3fff) + 1,
        height: ((bits >>> 14) & 0x3fff) + 1,
        hasAlpha: ((bits >>> 28) & 1) !== 0,
      };
    }
    case 'VP8 ':
      return {
        mediaType,
        width: start.readUInt16LE(14) & 0x3fff,
        height: start.readUInt16LE(16) & 0x3fff,
        hasAlpha: false,
      };
    default:
      return undefined;
  }
}
