import type { ImageInput } from '../domain/image-input.ts';
import { encodeBase64 } from './base64.ts';

type Image = Pick<ImageInput, 'mediaType' | 'bytes'>;

/** How many characters an image's data URL (RFC 2397) has. */
export function dataUrlLength({ mediaType, bytes }: Image): number {
  return head(mediaType).length + Math.ceil(bytes / 3) * 4;
}

/** An image's data URL while the image is read. */
export async function* dataUrl(input: Pick<ImageInput, 'mediaType' | 'open'>): AsyncGenerator<Buffer> {
  yield Buffer.from(head(input.mediaType));
  yield* encodeBase64(input.open());
}

function head(mediaType: string): string {
  return `data:${mediaType};base64,`;
}
