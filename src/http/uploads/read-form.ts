import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { replay } from '../../concurrency/replay.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import { type ImageInput, maxInputs } from '../../domain/image-input.ts';
import type { InputSpool } from '../../domain/input-spool.ts';
import { charsetProblem, checkCharset, decodeUtf8 } from '../request-body.ts';
import { boundaryOf, formError, isFormFile, maxField, maxFields, maxFiles } from './form-rules.ts';
import { watchPartHeads } from './part-heads.ts';
import { receiveInput, type Upload } from './upload.ts';

type Received = { readonly name: string; readonly index: number | undefined; readonly input: ImageInput };

/**
 * Reads an edit's multipart form: fields before or after files, images as `image`, `image[]` or `image[N]`. Rejects with
 * a GatewayError that names the part.
 */
export async function readForm(request: FastifyRequest, spool: InputSpool): Promise<Upload> {
  const { raw, headers } = request;
  checkCharset(headers['content-type']);
  // The first one only: a form may have any number of heads that the parser never shows.
  let problem: GatewayError | undefined;
  const watch = watchPartHeads(boundaryOf(headers['content-type']), (head) => {
    problem ??= headProblem(head);
  });
  const parameters = new Map<string, unknown>();
  const files: Received[] = [];
  // Before the parser's own listener, so that a part's head is checked when the part comes.
  raw.on('data', watch);
  try {
    // Every part comes as a file.
    for await (const part of request.parts() as AsyncIterable<MultipartFile>) {
      if (problem) throw problem;
      if (isFormFile(part.fieldname, part.filename)) await addFile(files, part, spool);
      else await addParameter(parameters, part);
    }
  } catch (error) {
    throw formError(error);
  } finally {
    raw.off('data', watch);
  }
  const only = (name: string) => files.find((file) => file.name === name)?.input;
  return {
    parameters: Object.fromEntries(parameters),
    images: inOrder(files.filter(({ name }) => name === 'image')).map(({ input }) => input),
    mask: only('mask'),
    markup: only('markup'),
  };
}

/** What is wrong with the head of a part: it is not UTF-8, or declares another charset for a field. */
function headProblem(head: Buffer): GatewayError | undefined {
  const text = head.toString('latin1');
  const [, quoted, plain] = /;\s*name=(?:"([^"]*)"|([^;\s]*))/i.exec(text) ?? [];
  const name = quoted ?? plain;
  if (decodeUtf8(head) === undefined) return notUtf8In(name);
  const [, type] = /^content-type:(.*(?:\r\n[ \t].*)*)/im.exec(text) ?? [];
  const [filename] = /;\s*filename\*?=/i.exec(text) ?? [];
  return isFormFile(name, filename) ? undefined : charsetProblem(type);
}

async function addFile(files: Received[], part: MultipartFile, spool: InputSpool): Promise<void> {
  const { name, index } = fileName(part);
  const bytes = await sentBytes(part);
  if (bytes === undefined) return;
  if (files.length === maxFiles) throw tooMany(`${maxFiles} files`);
  const same = files.filter((file) => file.name === name).length;
  if (name === 'image' && same === maxInputs) {
    throw new GatewayError('invalid_value', `'image' may have ${maxInputs} images at most.`, { param: 'image' });
  }
  if (name !== 'image' && same > 0) throw givenTwice(name);
  files.push({ name, index, input: await receiveInput(part.fieldname, bytes, spool) });
}

/**
 * The bytes of a file. `undefined`: there are none, and there is no filename, which is how browsers send an input that
 * nobody has filled in (https://html.spec.whatwg.org/#multipart-form-data).
 */
async function sentBytes({ filename = '', file }: MultipartFile): Promise<AsyncIterable<Buffer> | undefined> {
  if (filename !== '') return file;
  const rest: AsyncIterator<Buffer> = file[Symbol.asyncIterator]();
  const { value, done } = await rest.next();
  return done ? undefined : replay([value], rest);
}

/** What a file is for, by the name of its part, and its place among the images if the name says so. */
function fileName({ fieldname }: MultipartFile): { name: string; index: number | undefined } {
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
function isName(text: string | undefined): text is string {
  return /^[A-Za-z0-9_.[\]-]{1,64}$/.test(text ?? '');
}

/** By their indices where all have one, else as they came. */
function inOrder(images: readonly Received[]): readonly Received[] {
  if (images.some(({ index }) => index === undefined)) return images;
  return images.toSorted((one, other) => (one.index ?? 0) - (other.index ?? 0));
}

async function addParameter(parameters: Map<string, unknown>, part: MultipartFile): Promise<void> {
  const { fieldname: name, mimetype } = part;
  if (!isName(name)) throw new GatewayError('invalid_value', 'The form has a field without a usable name.');
  if (parameters.size === maxFields) throw tooMany(`${maxFields} fields`);
  if (parameters.has(name)) throw givenTwice(name);
  const text = await readText(part);
  // Not a parameter but a word about them all (https://www.rfc-editor.org/rfc/rfc7578#section-4.6).
  if (name === '_charset_') return checkCharset(`;charset=${text}`);
  const isJson = mimetype.startsWith('application/json') && text !== '';
  parameters.set(name, isJson ? jsonValue(name, text) : typed(name, text));
}

async function readText({ fieldname: name, file }: MultipartFile): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of file as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= maxField) chunks.push(chunk);
  }
  if (length > maxField) throw new GatewayError('invalid_value', `'${name}' is too long.`, { param: name });
  const text = decodeUtf8(Buffer.concat(chunks));
  // Text of UTF-16 may look like UTF-8 with a null before or after each character.
  if (text === undefined || text.includes('\0')) throw notUtf8In(name);
  return text;
}

/** A field may have a type of its own, which says that it is JSON. */
function jsonValue(name: string, text: string): unknown {
  const value = parseJson(text);
  if (value === undefined) throw new GatewayError('invalid_value', `'${name}' is not valid JSON.`, { param: name });
  if (typeof value === 'object' && value !== null) {
    throw new GatewayError('invalid_value', `'${name}' must not be an object or a list.`, { param: name });
  }
  return typeof value === 'string' ? typed(name, value) : value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notUtf8In(name: string | undefined): GatewayError {
  if (!isName(name)) return new GatewayError('invalid_value', 'The form has a name that is not valid UTF-8.');
  return new GatewayError('invalid_value', `'${name}', or its filename, is not valid UTF-8.`, { param: name });
}

function tooMany(what: string): GatewayError {
  return new GatewayError('request_too_large', `The form has more than ${what}.`);
}

function givenTwice(param: string): GatewayError {
  return new GatewayError('invalid_value', `'${param}' is given twice.`, { param });
}

const numbers = ['n', 'output_compression', 'partial_images'];

/** Forms know text only. What cannot be read as its parameter's type stays text, to be refused by name. */
function typed(name: string, text: string): unknown {
  // An input that nobody has filled in is an empty text.
  if (text === 'null' || text === '') return null;
  if (numbers.includes(name) && /^-?\d{1,9}(?:\.0+)?$/.test(text)) return Number(text);
  if (name === 'stream' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  return text;
}
