import { createHash } from 'node:crypto';
import type { EditInputs, InputReader, InputReference, StoredBytes } from '../../src/domain/image-input.ts';

const stored = new Map<string, Buffer>();

/** Has the bytes of every image of `imageInput`. */
export const inputs: InputReader & { release(): Promise<void> } = {
  async *open({ sha256 }: StoredBytes) {
    const bytes = stored.get(sha256) as Buffer;
    // In pieces, as files are read.
    for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  },
  release: async () => {},
};

/** An image that a client sent, held in memory; only its bytes and what is said of them matter. */
export function imageInput(bytes: Buffer, facts: Partial<InputReference> = {}): InputReference {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  stored.set(sha256, bytes);
  return { sha256, size: bytes.length, type: 'image/png', width: 1, height: 1, hasAlpha: true, ...facts };
}

export function editInputs(images: readonly InputReference[], others: Partial<EditInputs> = {}): EditInputs {
  return { images, mask: undefined, markup: undefined, inputs, ...others };
}
