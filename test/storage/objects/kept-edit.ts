import { hash } from 'node:crypto';
import type { EditInputs, InputReader, InputReference } from '../../../src/domain/image-input.ts';

/** An edit of these images. */
export function editOf(bytes: readonly Buffer[]): EditInputs {
  const stored = new Map(bytes.map((image) => [hash('sha256', image), image]));
  const images = bytes.map((image): InputReference => {
    return {
      sha256: hash('sha256', image),
      size: image.length,
      type: 'image/png',
      width: 1,
      height: 1,
      hasAlpha: false,
    };
  });
  const inputs = {
    async *open({ sha256 }: { readonly sha256: string }) {
      const image = stored.get(sha256) as Buffer;
      for (let at = 0; at < image.length; at += 700) yield image.subarray(at, at + 700);
    },
    release: async () => {},
  };
  return { images, mask: undefined, markup: undefined, inputs };
}

/** All bytes of an input. */
export async function readInput(reader: InputReader, input: InputReference | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of reader.open(input as InputReference)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
