import { createHash } from 'node:crypto';
import type { PlainAnswer } from '../azure-errors.ts';
import { imageTypes } from '../image-types.ts';
import { inspectImage } from '../inspect-image.ts';
import type { ReceivedFile } from '../receive-form.ts';
import { invalidMember } from './response-errors.ts';

const largestDecoded = 8 * 1024 * 1024;

/** Decodes a data URL into what a form's part would have been; `param` is what a refusal calls it. */
export async function readDataUrl(url: string, part: string, param: string): Promise<ReceivedFile | PlainAnswer> {
  const [head, contentType = ''] = /^data:([^;,]{1,100});base64,/.exec(url) ?? [];
  // CONTRACTS §3.4: data URLs only; nothing is fetched here.
  if (head === undefined) return invalidMember(param, 'must be a data URL with base64');
  const encoded = url.slice(head.length);
  const content = Buffer.from(encoded, 'base64');
  // The decoder skips what is not base64, so that fewer bytes come out.
  const digits = encoded.length - (/={0,2}$/.exec(encoded.slice(-2))?.[0].length ?? 0);
  if (content.length !== Math.floor((digits * 3) / 4)) return invalidMember(param, 'is not base64');
  return {
    part,
    filename: `${part}.${imageTypes.find(({ mediaType }) => mediaType === contentType)?.extensions[0] ?? 'bin'}`,
    contentType,
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    facts: await inspectImage(content, content.length <= largestDecoded),
  };
}
