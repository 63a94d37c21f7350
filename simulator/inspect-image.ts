import sharp from 'sharp';
import { imageTypes } from './image-types.ts';

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
export type ImageOutline = { readonly width: number; readonly height: number; readonly hasAlpha: boolean };

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
