import { readImageHeader } from '../../codec/read-image-header.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import { type EditInputs, type InputReference, type InputStore, inputMediaTypes } from '../../domain/image-input.ts';

/** OpenAI's limit for one image, in bytes. */
export const largestInput = 50 * 1024 * 1024;

/** Far above what any model takes; it keeps small files that unpack to gigabytes from Azure's door. */
const maxPixels = 50_000_000;

/** What an edit's body holds, whichever form it came in. `name` is how its caller called a file. */
export type Upload = {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly images: readonly InputReference[];
  readonly mask: InputReference | undefined;
  readonly markup: InputReference | undefined;
};

/** Throws `missing_required_parameter` without an image. @param name how this form of the body calls it */
export function editInputs({ images, mask, markup }: Upload, name: string, inputs: InputStore): EditInputs {
  if (images.length === 0) {
    throw new GatewayError('missing_required_parameter', `'${name}' is missing.`, { param: name });
  }
  return { images, mask, markup, inputs };
}

/** Takes in one file. Rejects with a GatewayError that names `name` when it is no image that can be edited. */
export async function receiveInput(
  name: string,
  bytes: AsyncIterable<Buffer>,
  inputs: InputStore,
): Promise<InputReference> {
  const stored = await inputs.put(atMost(largestInput, name, bytes));
  const invalid = (reason: string) => new GatewayError('invalid_image_file', `'${name}' ${reason}.`, { param: name });
  if (stored.size === 0) throw invalid('is empty');
  const header = await readImageHeader((position, length) => inputs.read(stored, position, length));
  if (header === undefined) throw invalid(`is not a ${types} file, or it is damaged`);
  const { mediaType: type, width, height, hasAlpha } = header;
  if (width * height > maxPixels) throw invalid(`has more than ${maxPixels} pixels: ${width}x${height}`);
  return { ...stored, type, width, height, hasAlpha };
}

async function* atMost(limit: number, name: string, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length > limit) {
      const message = `'${name}' is longer than ${limit} bytes, the most that one image may have.`;
      throw new GatewayError('request_too_large', message, { param: name });
    }
    yield chunk;
  }
}

const types = inputMediaTypes.map((type) => type.slice('image/'.length).toUpperCase()).join(', ');
