import { invalidFile, type PlainResponse } from './azure-errors.ts';
import { type DecodedImage, decodeImage } from './decode-image.ts';
import type { JobPlace } from './image-job.ts';
import type { RequestBody } from './incoming-request.ts';
import { sourceImageOf } from './inspect-image.ts';

/** A body whose references are decoded, by name, and stand in it as their sizes in bytes and their digests. */
export type FluxBody = { readonly members: RequestBody; readonly references: ReadonlyMap<string, DecodedImage> };

/** The members that may hold images: `input_image`, `input_image_2` and so on. */
export function referenceNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? 'input_image' : `input_image_${index + 1}`));
}

// A reference too many is an unknown parameter, and its bytes are no more for the ledger than those of the others.
const anyReference = /^input_image(?:_\d+)?$/;

/** Decodes the references one after the other, as each may be large. What is no base64 stays as it came. */
export async function decodeReferences(body: RequestBody): Promise<FluxBody> {
  const references = new Map<string, DecodedImage>();
  const members: Record<string, unknown> = { ...body };
  for (const [name, value] of Object.entries(body)) {
    if (typeof value !== 'string' || !anyReference.test(name)) continue;
    const image = await decodeImage(value);
    if (image === undefined) continue;
    references.set(name, image);
    members[name] = { bytes: image.bytes, sha256: image.sha256 };
  }
  return { members, references };
}

/** What is to be drawn over: nothing without references, else the first one by its number. */
export async function readReferences(
  { members, references }: FluxBody,
  max: number,
): Promise<Pick<JobPlace, 'edited'> | PlainResponse> {
  const images: DecodedImage[] = [];
  for (const name of referenceNames(max).filter((each) => members[each] !== undefined)) {
    const image = references.get(name);
    if (image === undefined) return invalidFile(name, 'it is not base64');
    if (image.facts.isBroken) return invalidFile(name, 'it cannot be decoded');
    images.push(image);
  }
  const [first] = images;
  return first === undefined ? {} : { edited: { source: await sourceImageOf(first), inputs: images.length } };
}
