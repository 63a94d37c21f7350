import sharp from 'sharp';
import type { ReceivedFile } from './receive-form.ts';

/** What an image's bytes say about it, whatever its part's headers claim. */
export type ImageFacts = {
  /** The media type that its first bytes show; undefined when they are of no image. */
  readonly mediaType: string | undefined;
  /** Absent when the image was too large to be kept, and its beginning did not tell. */
  readonly outline?: ImageOutline;
  /** True when the bytes are of no image, or of one that cannot be decoded. */
  readonly isBroken: boolean;
  /** A small PNG of it; absent when it is broken or was too large to be kept. */
  readonly thumbnail?: Buffer;
};

/** An image's size in pixels, and whether it has a channel of transparency. */
type ImageOutline = { readonly width: number; readonly height: number; readonly hasAlpha: boolean };

const thumbnailEdge = 512;

/** Looks at the bytes of an image, or at its first ones where it was too large to be kept whole. */
export async function inspectImage(bytes: Buffer, isWhole: boolean): Promise<ImageFacts> {
  const mediaType = imageTypes.find(({ isBeginOf }) => isBeginOf(bytes))?.mediaType;
  // A decoder tries more types than these; what is none of them is not for it.
  if (mediaType === undefined) return { mediaType, isBroken: true };
  const outline = await outlineOf(bytes);
  const known = { mediaType, ...(outline && { outline }) };
  if (!isWhole) return { ...known, isBroken: false };
  const thumbnail = await thumbnailOf(bytes);
  return { ...known, isBroken: thumbnail === undefined, ...(thumbnail && { thumbnail }) };
}

async function outlineOf(bytes: Buffer): Promise<ImageOutline | undefined> {
  try {
    const { width, height, hasAlpha } = await sharp(bytes).metadata();
    return { width, height, hasAlpha };
  } catch {
    return undefined;
  }
}

// The whole image has to be decoded for it: the only proof that it can be.
async function thumbnailOf(bytes: Buffer): Promise<Buffer | undefined> {
  try {
    const fitted = sharp(bytes).resize(thumbnailEdge, thumbnailEdge, { fit: 'inside', withoutEnlargement: true });
    return await fitted.png().toBuffer();
  } catch {
    return undefined;
  }
}

/** What an input image may be: its media type, the endings of its file name, and how its bytes begin. */
type ImageType = {
  readonly mediaType: string;
  readonly extensions: readonly string[];
  isBeginOf(bytes: Buffer): boolean;
};

const pngSignature = Buffer.from('89504e470d0a1a0a', 'hex');
const jpegStart = Buffer.from('ffd8ff', 'hex');

/** PNG, JPEG and WebP. */
export const imageTypes: readonly ImageType[] = [
  {
    mediaType: 'image/png',
    extensions: ['png'],
    isBeginOf: (bytes) => bytes.subarray(0, pngSignature.length).equals(pngSignature),
  },
  {
    mediaType: 'image/jpeg',
    extensions: ['jpg', 'jpeg'],
    isBeginOf: (bytes) => bytes.subarray(0, jpegStart.length).equals(jpegStart),
  },
  {
    mediaType: 'image/webp',
    extensions: ['webp'],
    isBeginOf: (bytes) =>
      bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP' && bytes.length > 12,
  },
];

/** The image that an edit starts from, scaled down; equal images have equal digests. */
export type SourceImage = { readonly digest: string; readonly bytes: Buffer };

/** The image to draw over. Of a file too large to be kept there is a tile, in a colour that depends on its bytes. */
export async function sourceImageOf({ sha256, facts }: Pick<ReceivedFile, 'sha256' | 'facts'>): Promise<SourceImage> {
  return { digest: sha256, bytes: facts.thumbnail ?? (await tileOf(sha256)) };
}

function tileOf(digest: string): Promise<Buffer> {
  const create = { width: 16, height: 16, channels: 3, background: `#${digest.slice(0, 6)}` } as const;
  return sharp({ create }).png().toBuffer();
}
