import sharp, { type Sharp } from 'sharp';
import { type CompositionOrder, composeImage, composeOverlay } from './image-composition.ts';
import type { SourceImage } from './inspect-image.ts';
import { padImage } from './pad-image.ts';

/** An image to draw: composition, file format, jpeg compression level (0 to 100, Azure's sense) and padding. */
export type ImageOrder = CompositionOrder & {
  readonly format: 'png' | 'jpeg';
  readonly compression: number;
  readonly paddingMegabytes: number;
  /** 1 for a finished image; a partial one is a mosaic whose squares have this edge in pixels. */
  readonly coarseness: number;
  /** True for the scenarios whose image is a text. */
  readonly broken: boolean;
  /** What an edit draws over; without it the whole image is made up. */
  readonly source?: SourceImage;
};

/** The bytes of an image, in pieces, because a padded image repeats one piece many times. */
export type Image = {
  readonly mediaType: string;
  readonly byteLength: number;
  readonly pieces: readonly Buffer[];
};

const keptImages = 128;
const drawn = new Map<string, Promise<Buffer>>();

/** Draws an image of exactly the ordered size; the same order gives the same bytes, from a small memory. */
export async function drawImage(order: ImageOrder): Promise<Image> {
  const bytes = order.broken ? Buffer.from('This is a text and not an image.') : await drawOnce(order);
  const pieces = order.paddingMegabytes > 0 ? padImage(bytes, order.format, order.paddingMegabytes) : [bytes];
  const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { mediaType: `image/${order.format}`, byteLength, pieces };
}

function drawOnce(order: ImageOrder): Promise<Buffer> {
  const { prompt, index, width, height, transparent, format, compression, coarseness, source } = order;
  const looks = [width, height, transparent, format, compression, coarseness];
  const key = JSON.stringify([...looks, index, prompt, source?.digest]);
  const image = drawn.get(key) ?? render(order);
  // Set anew on every use, so that the first key is the one that was not used for longest.
  drawn.delete(key);
  drawn.set(key, image);
  const oldest = drawn.keys().next().value;
  if (drawn.size > keptImages && oldest !== undefined) drawn.delete(oldest);
  return image;
}

async function render(order: ImageOrder): Promise<Buffer> {
  const { source } = order;
  const composition = sharp(source ? await drawOver(source, order) : Buffer.from(composeImage(order)));
  const image = order.coarseness === 1 ? composition : await coarsen(composition, order);
  if (order.format === 'png') return image.png({ compressionLevel: 6 }).toBuffer();
  const opaque = image.flatten({ background: '#ffffff' });
  // Azure's output_compression is the jpeg quality in percent; sharp's begins at 1.
  return opaque.jpeg({ quality: Math.max(1, order.compression) }).toBuffer();
}

async function coarsen(composition: Sharp, { width, height, coarseness }: ImageOrder): Promise<Sharp> {
  const [fewColumns, fewRows] = [width, height].map((edge) => Math.max(1, Math.round(edge / coarseness)));
  const few = await composition.resize(fewColumns, fewRows, { fit: 'fill' }).png().toBuffer();
  // Squares and not a blur, whose soft shades would make a partial image larger in bytes than the finished one.
  return sharp(few).resize(width, height, { fit: 'fill', kernel: 'nearest' });
}

const clear = { r: 0, g: 0, b: 0, alpha: 0 };
// How much of an image with a transparent background stays empty at each edge.
const margin = 0.06;

/** Draws an edit: the image that came in fills the asked size, and what a drawing adds to it lies over it. */
async function drawOver(source: SourceImage, order: CompositionOrder): Promise<Buffer> {
  const { width, height, transparent } = order;
  const edges = transparent ? { x: Math.ceil(width * margin), y: Math.ceil(height * margin) } : { x: 0, y: 0 };
  const fitted = sharp(source.bytes).resize(width - 2 * edges.x, height - 2 * edges.y, { fit: 'cover' });
  const inner = transparent ? fitted.ensureAlpha() : fitted.flatten({ background: '#ffffff' });
  const canvas = sharp({ create: { width, height, channels: 4, background: clear } });
  const layers = [
    { input: await inner.png().toBuffer(), left: edges.x, top: edges.y },
    { input: Buffer.from(composeOverlay(order)), left: 0, top: 0 },
  ];
  return canvas.composite(layers).png().toBuffer();
}
