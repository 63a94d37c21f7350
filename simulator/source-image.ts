import sharp from 'sharp';
import type { ReceivedFile } from './receive-form.ts';

/** The image that an edit starts from, made small; `digest` tells it from others. */
export type SourceImage = { readonly digest: string; readonly bytes: Buffer };

/** The image to draw over. Of a file too large to be kept there is a tile, in a colour that depends on its bytes. */
export async function sourceImageOf({ sha256, facts }: ReceivedFile): Promise<SourceImage> {
  return { digest: sha256, bytes: facts.thumbnail ?? (await tileOf(sha256)) };
}

function tileOf(digest: string): Promise<Buffer> {
  const create = { width: 16, height: 16, channels: 3, background: `#${digest.slice(0, 6)}` } as const;
  return sharp({ create }).png().toBuffer();
}
