import sharp from 'sharp';
import { type CompositionOrder, composeOverlay } from './image-composition.ts';
import type { SourceImage } from './source-image.ts';

const clear = { r: 0, g: 0, b: 0, alpha: 0 };
// How much of the image stays free at each edge when its background shall be transparent.
const margin = 0.06;

/** Draws an edit: the image that came in fills the asked size, and what a drawing adds to it lies over it. */
export async function drawOver(source: SourceImage, order: CompositionOrder): Promise<Buffer> {
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
