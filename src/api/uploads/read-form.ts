import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../../domain/gateway-error.ts';
import { type ImageInput, mostInputs } from '../../domain/image-input.ts';
import type { InputSpool } from '../../domain/input-spool.ts';
import { formError } from './form-rules.ts';
import { receiveInput, type Upload } from './upload.ts';

type Part = MultipartFile | MultipartValue;

type Received = { readonly name: string; readonly index: number | undefined; readonly input: ImageInput };

/**
 * Reads an edit's multipart form: fields before or after files, images as `image`, `image[]` or `image[N]`. Rejects with
 * a GatewayError that names the part.
 */
export async function readForm(request: FastifyRequest, spool: InputSpool): Promise<Upload> {
  const parameters = new Map<string, unknown>();
  const files: Received[] = [];
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file') files.push(await receiveFile(part, files, spool));
      else addParameter(parameters, part);
    }
  } catch (error) {
    throw formError(error);
  }
  const only = (name: string) => files.find((file) => file.name === name)?.input;
  return {
    parameters: Object.fromEntries(parameters),
    images: inOrder(files.filter(({ name }) => name === 'image')).map(({ input }) => input),
    mask: only('mask'),
    markup: only('markup'),
  };
}

async function receiveFile(part: MultipartFile, files: readonly Received[], spool: InputSpool): Promise<Received> {
  const { name, index } = fileName(part);
  const same = files.filter((file) => file.name === name).length;
  if (name === 'image' && same === mostInputs) {
    throw new GatewayError('invalid_value', `'image' may have ${mostInputs} pictures at most.`, { param: 'image' });
  }
  if (name !== 'image' && same > 0) throw givenTwice(name);
  return { name, index, input: await receiveInput(part.fieldname, part.file, spool) };
}

/** What a file is for, by the name of its part, and its place among the images if the name says so. */
function fileName({ fieldname }: Part): { name: string; index: number | undefined } {
  const [, name, index = ''] = /^(image|mask|markup)(?:\[(\d{0,3})\])?$/.exec(fieldname ?? '') ?? [];
  if (name !== undefined) return { name, index: index === '' ? undefined : Number(index) };
  const shown = isName(fieldname) ? fieldname : undefined;
  throw new GatewayError(
    'unknown_parameter',
    `The form has a file ${shown === undefined ? 'without a usable name' : `'${shown}'`}; files are 'image', 'mask' and 'markup'.`,
    shown === undefined ? {} : { param: shown },
  );
}

/** What callers make up is shown to them, and kept, only when it looks like a name. */
function isName(text: string | undefined): boolean {
  return /^[A-Za-z0-9_.[\]-]{1,64}$/.test(text ?? '');
}

/** By their indices where all have one, else as they came. */
function inOrder(images: readonly Received[]): readonly Received[] {
  if (images.some(({ index }) => index === undefined)) return images;
  return images.toSorted((one, other) => (one.index ?? 0) - (other.index ?? 0));
}

function addParameter(parameters: Map<string, unknown>, { fieldname, value, valueTruncated }: MultipartValue): void {
  if (!isName(fieldname)) throw new GatewayError('invalid_value', 'The form has a field without a usable name.');
  if (valueTruncated) throw new GatewayError('invalid_value', `'${fieldname}' is too long.`, { param: fieldname });
  if (parameters.has(fieldname)) throw givenTwice(fieldname);
  // A field may have a type of its own, which says that it is JSON.
  if (typeof value === 'object' && value !== null) {
    throw new GatewayError('invalid_value', `'${fieldname}' must not be an object or a list.`, { param: fieldname });
  }
  parameters.set(fieldname, typeof value === 'string' ? typed(fieldname, value) : value);
}

function givenTwice(param: string): GatewayError {
  return new GatewayError('invalid_value', `'${param}' is given twice.`, { param });
}

const numbers = ['n', 'output_compression', 'partial_images'];

/** Forms know text only. What cannot be read as its parameter's type stays text, to be refused by name. */
function typed(name: string, text: string): unknown {
  if (text === 'null') return null;
  if (numbers.includes(name) && /^-?\d{1,9}(?:\.0+)?$/.test(text)) return Number(text);
  if (name === 'stream' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  return text;
}
