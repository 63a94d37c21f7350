import type { InputMediaType, InputReference } from '../domain/image-input.ts';
import { encodeBase64 } from './base64.ts';

/** How many characters an image's data URL (RFC 2397) has. */
export function dataUrlLength({ type, size }: Pick<InputReference, 'type' | 'size'>): number {
  return head(type).length + Math.ceil(size / 3) * 4;
}

/** An image's data URL while the image is read. */
export async function* dataUrl(type: InputMediaType, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from(head(type));
  yield* encodeBase64(bytes);
}

function head(type: InputMediaType): string {
  return `data:${type};base64,`;
}
