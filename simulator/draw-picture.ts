import sharp, { type Sharp } from 'sharp';
import { drawOver } from './draw-over.ts';
import { padPicture } from './pad-picture.ts';
import { type CompositionOrder, composePicture } from './picture-composition.ts';
import type { SourcePicture } from './source-picture.ts';

/** A picture to draw: composition, file format, jpeg compression level (0 to 100, Azure's sense) and padding. */
export type PictureOrder = CompositionOrder & {
  readonly format: 'png' | 'jpeg';
  readonly compression: number;
  readonly paddingMegabytes: number;
  /** 1 for a finished picture; a partial one is a mosaic whose squares have this edge in pixels. */
  readonly coarseness: number;
  /** True for the scenarios whose picture is a text. */
  readonly broken: boolean;
  /** What an edit draws over; without it the whole picture is made up. */
  readonly source?: SourcePicture;
};

/** The bytes of a picture, in pieces, because a padded picture repeats one piece many times. */
export type Picture = {
  readonly mediaType: string;
  readonly byteLength: number;
  readonly pieces: readonly Buffer[];
};

const keptPictures = 128;
const drawn = new Map<string, Promise<Buffer>>();

/** Draws a picture of exactly the ordered size; the same order gives the same bytes, from a small memory. */
export async function drawPicture(order: PictureOrder): Promise<Picture> {
  const bytes = order.broken ? Buffer.from('This is a text and not a picture.') : await drawOnce(order);
  const pieces = order.paddingMegabytes > 0 ? padPicture(bytes, order.format, order.paddingMegabytes) : [bytes];
  const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { mediaType: `image/${order.format}`, byteLength, pieces };
}

function drawOnce(order: PictureOrder): Promise<Buffer> {
  const { prompt, index, width, height, transparent, format, compression, coarseness, source } = order;
  const looks = [width, height, transparent, format, compression, coarseness];
  const key = JSON.stringify([...looks, index, prompt, source?.digest]);
  const picture = drawn.get(key) ?? render(order);
  // Set anew on every use, so that the first key is the one that was not used for longest.
  drawn.delete(key);
  drawn.set(key, picture);
  const oldest = drawn.keys().next().value;
  if (drawn.size > keptPictures && oldest !== undefined) drawn.delete(oldest);
  return picture;
}

async function render(order: PictureOrder): Promise<Buffer> {
  const { source } = order;
  const composition = sharp(source ? await drawOver(source, order) : Buffer.from(composePicture(order)));
  const image = order.coarseness === 1 ? composition : await coarsen(composition, order);
  if (order.format === 'png') return image.png({ compressionLevel: 6 }).toBuffer();
  const opaque = image.flatten({ background: '#ffffff' });
  // Azure's output_compression is the jpeg quality in percent; sharp's begins at 1.
  return opaque.jpeg({ quality: Math.max(1, order.compression) }).toBuffer();
}

async function coarsen(composition: Sharp, { width, height, coarseness }: PictureOrder): Promise<Sharp> {
  const [fewColumns, fewRows] = [width, height].map((edge) => Math.max(1, Math.round(edge / coarseness)));
  const few = await composition.resize(fewColumns, fewRows, { fit: 'fill' }).png().toBuffer();
  // Squares and not a blur, whose soft shades would make a partial picture larger in bytes than the finished one.
  return sharp(few).resize(width, height, { fit: 'fill', kernel: 'nearest' });
}
