import { createHash } from 'node:crypto';
import type { EditInputs, ImageInput } from '../../src/domain/image-input.ts';

/** An image that a caller sent, held in memory; only its bytes and what is said of them matter. */
export function imageInput(bytes: Buffer, facts: Partial<ImageInput> = {}): ImageInput {
  return {
    mediaType: 'image/png',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    width: 1,
    height: 1,
    hasAlpha: true,
    async *open() {
      // In pieces, as files are read.
      for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
    },
    ...facts,
  };
}

export function editInputs(images: readonly ImageInput[], overlays: Partial<EditInputs> = {}): EditInputs {
  return { images, mask: undefined, markup: undefined, release: async () => {}, ...overlays };
}
