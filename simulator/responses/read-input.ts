import { missingParameter, type PlainResponse, unknownParameter } from '../azure-errors.ts';
import { checkFiles } from '../check-files.ts';
import { decodeImage } from '../decode-image.ts';
import type { Family } from '../families.ts';
import type { JobPlace } from '../image-job.ts';
import { isObject, type RequestBody } from '../incoming-request.ts';
import { imageTypes, sourceImageOf } from '../inspect-image.ts';
import type { ReceivedFile } from '../receive-form.ts';
import { invalidMember } from './response-errors.ts';

/** What the messages of a request say and show. The images are data URLs. */
type ReadInput = { readonly prompt: string; readonly images: readonly string[] };

type Part = { readonly text: string } | { readonly image: string };

/** Reads `input`: a text, or a list of messages of the user. */
export function readInput(input: unknown): ReadInput | PlainResponse {
  if (input === undefined) return missingParameter('input');
  if (typeof input === 'string') return { prompt: input, images: [] };
  if (!Array.isArray(input)) return invalidMember('input', 'must be a text or a list of messages');
  const parts: Part[] = [];
  for (const [position, message] of input.entries()) {
    const read = readMessage(message, `input[${position}]`);
    if ('status' in read) return read;
    parts.push(...read.parts);
  }
  const prompt = parts.flatMap((part) => ('text' in part ? [part.text] : [])).join('\n');
  return { prompt, images: parts.flatMap((part) => ('image' in part ? [part.image] : [])) };
}

function readMessage(message: unknown, name: string): { parts: Part[] } | PlainResponse {
  if (!isObject(message)) return invalidMember(name, 'must be a message');
  const { type = 'message', role, content, ...others } = message;
  const [other] = Object.keys(others);
  if (other !== undefined) return unknownParameter(`${name}.${other}`);
  if (type !== 'message' || role !== 'user') return invalidMember(name, 'must be a message of the user');
  if (typeof content === 'string') return { parts: [{ text: content }] };
  if (!Array.isArray(content)) return invalidMember(`${name}.content`, 'must be a text or a list of parts');
  const parts: Part[] = [];
  for (const [position, part] of content.entries()) {
    const read = readPart(part, `${name}.content[${position}]`);
    if ('status' in read) return read;
    parts.push(read);
  }
  return { parts };
}

function readPart(part: unknown, name: string): Part | PlainResponse {
  if (!isObject(part)) return invalidMember(name, 'must be a part');
  const { type, ...members } = part;
  const wanted = type === 'input_text' ? 'text' : 'image_url';
  if (type !== 'input_text' && type !== 'input_image') return invalidMember(`${name}.type`, 'is no known part');
  const other = Object.keys(members).find((member) => member !== wanted);
  if (other !== undefined) return unknownParameter(`${name}.${other}`);
  const { [wanted]: value } = members;
  if (typeof value !== 'string') return invalidMember(`${name}.${wanted}`, 'must be a text');
  return type === 'input_text' ? { text: value } : { image: value };
}

type Edited = Pick<JobPlace, 'edited'>;

/** Decodes and checks the images of a request: what is to be edited, which is nothing without images. */
export async function readEdit(
  images: readonly string[],
  tool: RequestBody,
  family: Family,
): Promise<Edited | PlainResponse> {
  const { action, input_image_mask: mask } = tool;
  if (images.length === 0) {
    if (action === 'edit') return invalidMember('tools[0].action', 'must not be edit without an input image');
    return mask === undefined ? {} : invalidMember('tools[0].input_image_mask', 'needs an input image');
  }
  const files: ReceivedFile[] = [];
  for (const { url, part, param } of imageUrls(images, mask)) {
    const file = await readDataUrl(url, part, param);
    if ('status' in file) return file;
    files.push(file);
  }
  const refused = family.edits === undefined ? missingParameter('image') : checkFiles(files, family.edits);
  if (refused !== undefined) return refused;
  const [first] = files;
  // `generate` makes a new image, whatever images were sent.
  if (first === undefined || action === 'generate') return {};
  return { edited: { source: await sourceImageOf(first), inputs: images.length } };
}

// They are checked, and named, like the parts of a form.
function imageUrls(images: readonly string[], mask: unknown) {
  const part = images.length === 1 ? 'image' : 'image[]';
  const inputs = images.map((url) => ({ url, part, param: 'input' }));
  if (!isObject(mask)) return inputs;
  return [...inputs, { url: String(mask.image_url), part: 'mask', param: 'tools[0].input_image_mask' }];
}

/** Decodes a data URL into what a form's part would have been; `param` is what a refusal calls it. */
async function readDataUrl(url: string, part: string, param: string): Promise<ReceivedFile | PlainResponse> {
  const [head, contentType = ''] = /^data:([^;,]{1,100});base64,/.exec(url) ?? [];
  // Data URLs only; nothing is fetched here.
  if (head === undefined) return invalidMember(param, 'must be a data URL with base64');
  const image = await decodeImage(url.slice(head.length));
  if (image === undefined) return invalidMember(param, 'is not base64');
  const extension = imageTypes.find(({ mediaType }) => mediaType === contentType)?.extensions[0] ?? 'bin';
  return { part, filename: `${part}.${extension}`, contentType, ...image };
}
