import { decodeBase64 } from '../../codec/base64.ts';
import { readImageHeader } from '../../codec/image-header.ts';
import { replay } from '../../concurrency/replay.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import {
  type EditInputs,
  type InputReference,
  type InputStore,
  inputMediaTypes,
  maxInputBytes,
  maxPixels,
} from '../../domain/image-input.ts';

/** What an edit's body holds, as a form or as JSON. */
export type Upload = {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly images: readonly InputReference[];
  readonly mask: InputReference | undefined;
  readonly markup: InputReference | undefined;
};

/**
 * Throws `missing_required_parameter` without an image.
 * @param name of the images in this form of the body
 */
export function editInputs({ images, mask, markup }: Upload, name: string, inputs: InputStore): EditInputs {
  if (images.length === 0) {
    throw new GatewayError('missing_required_parameter', `'${name}' is missing.`, { param: name });
  }
  return { images, mask, markup, inputs };
}

/** Stores one file. Rejects with a GatewayError that names `name` when it is no image that can be edited. */
export async function receiveInput(
  name: string,
  bytes: AsyncIterable<Buffer>,
  inputs: InputStore,
): Promise<InputReference> {
  const stored = await inputs.put(atMost(maxInputBytes, name, bytes));
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

/** Where an image of a JSON body comes from: the body itself, or a link. `name` is that of the member. */
export type ImageSource = { readonly input: InputReference } | { readonly link: string; readonly name: string };

const maxLink = 8 * 1024;

/** Long enough for the head of any data URL, up to its comma. */
const maxHead = 256;

/** Reads an image's URL while it arrives: a data URL is stored, anything else is a link. `undefined` where it is empty. */
export async function imageSource(
  name: string,
  pieces: AsyncGenerator<Buffer>,
  inputs: InputStore,
): Promise<ImageSource | undefined> {
  const head = await readHead(pieces);
  if (head.length === 0) return undefined;
  const text = head.toString('latin1');
  if (!/^data:/i.test(text)) return { link: await readLink(name, head, pieces), name };
  const comma = text.indexOf(',');
  if (comma === -1 || !/;base64$/i.test(text.slice(0, comma).trimEnd())) {
    throw new GatewayError('invalid_value', `'${name}' must be a data URL in base64.`, { param: name });
  }
  const rest = replay([head.subarray(comma + 1)], pieces);
  return { input: await receiveBase64(name, rest, inputs) };
}

/** Stores one file that comes as base64, as {@link receiveInput} does. */
export function receiveBase64(name: string, text: AsyncIterable<Buffer>, inputs: InputStore): Promise<InputReference> {
  const bytes = decodeBase64(text, () => damaged(name));
  return receiveInput(name, bytes, inputs);
}

/** The beginning of a text: of a data URL the whole head. */
async function readHead(pieces: AsyncGenerator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < maxHead && !head.includes(',')) {
    const { value, done } = await pieces.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  return head;
}

async function readLink(name: string, head: Buffer, pieces: AsyncGenerator<Buffer>): Promise<string> {
  let link = head.toString('latin1');
  for await (const piece of pieces) {
    if (link.length <= maxLink) link += piece.toString('latin1');
  }
  if (link.length > maxLink || !/^https:\/\/[ -~]*$/i.test(link)) {
    throw new GatewayError('invalid_value', `'${name}' must be a data URL or an https URL.`, { param: name });
  }
  return link;
}

function damaged(name: string): GatewayError {
  return new GatewayError('invalid_image_file', `'${name}' is not valid base64.`, { param: name });
}
