import { createHash } from 'node:crypto';
import { inspectImage } from './inspect-image.ts';
import type { ReceivedFile } from './receive-form.ts';

/** An image that came as base64 in a JSON body; what it says is what a file of a form would say. */
export type DecodedImage = Pick<ReceivedFile, 'bytes' | 'sha256' | 'facts'>;

// A larger one is not decoded to its pixels, as no file of a form is that is too large to be kept.
const largestInspected = 8 * 1024 * 1024;

/** Decodes an image; undefined when the text is not base64. */
export async function decodeImage(encoded: string): Promise<DecodedImage | undefined> {
  const content = Buffer.from(encoded, 'base64');
  // The decoder skips what is not base64, so that fewer bytes come out.
  const digits = encoded.length - (/={0,2}$/.exec(encoded.slice(-2))?.[0].length ?? 0);
  if (content.length !== Math.floor((digits * 3) / 4)) return undefined;
  return {
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    facts: await inspectImage(content, content.length <= largestInspected),
  };
}
