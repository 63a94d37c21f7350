import { isUtf8 } from 'node:buffer';
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { parseJson } from '../../codec/json-text.ts';
import { replay } from '../../concurrency/replay.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import { type InputReference, type InputStore, maxInputBytes, maxInputs } from '../../domain/image-input.ts';
import { charsetProblem, checkCharset } from '../request-body.ts';
import { watchPartHeads } from './part-heads.ts';
import { receiveInput, type Upload } from './receive-input.ts';

const maxParts = 50;

/** How forms are parsed. Fields are read as bytes, like files: the parser's own decoding replaces what is not UTF-8. */
export const formOptions = {
  isPartAFile: () => true,
  limits: {
    // One byte more than allowed, so that the error can name the file that is too large.
    fileSize: maxInputBytes + 1,
    files: maxParts,
    parts: maxParts,
    headerPairs: 64,
    headerSize: 16 * 1024,
  },
};

const maxFiles = 18;
const maxFields = 32;

/** In bytes: a prompt of 32,000 characters can have 128,000. */
const maxField = 128 * 1024;

/** RFC 2046, 5.1.1: 70 characters; some clients are known to take more. */
const maxBoundary = 200;

type Received = { readonly name: string; readonly index: number | undefined; readonly input: InputReference };

/**
 * Reads an edit's multipart form: fields before or after files, images as `image`, `image[]` or `image[N]`. Rejects with
 * a GatewayError that names the part.
 */
export async function readForm(request: FastifyRequest, inputs: InputStore): Promise<Upload> {
  const { raw, headers } = request;
  checkCharset(headers['content-type']);
  // Only the first one: a form may have any number of heads that the parser never shows.
  let problem: GatewayError | undefined;
  const watch = watchPartHeads(boundaryOf(headers['content-type']), (head) => {
    problem ??= headProblem(head);
  });
  const parameters = new Map<string, unknown>();
  const files: Received[] = [];
  // Before the parser's own listener, so that a part's head is checked when the part arrives.
  raw.on('data', watch);
  try {
    // Every part comes as a file.
    for await (const part of request.parts() as AsyncIterable<MultipartFile>) {
      if (problem) throw problem;
      if (isFormFile(part.fieldname, part.filename)) await addFile(files, part, inputs);
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
  if (!isUtf8(head)) return notUtf8In(name);
  const [, type] = /^content-type:(.*(?:\r\n[ \t].*)*)/im.exec(text) ?? [];
  const [filename] = /;\s*filename\*?=/i.exec(text) ?? [];
  return isFormFile(name, filename) ? undefined : charsetProblem(type);
}

async function addFile(files: Received[], part: MultipartFile, inputs: InputStore): Promise<void> {
  const { name, index } = fileName(part);
  const bytes = await sentBytes(part);
  if (bytes === undefined) return;
  if (files.length === maxFiles) throw tooMany(`${maxFiles} files`);
  const same = files.filter((file) => file.name === name).length;
  if (name === 'image' && same === maxInputs) {
    throw new GatewayError('invalid_value', `'image' may have ${maxInputs} images at most.`, { param: 'image' });
  }
  if (name !== 'image' && same > 0) throw givenTwice(name);
  files.push({ name, index, input: await receiveInput(part.fieldname, bytes, inputs) });
}

/**
 * The bytes of a file. `undefined` where it has no bytes and no filename: browsers send an empty file input so
 * (https://html.spec.whatwg.org/#multipart-form-data).
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

/** Text from a client is shown and kept only when it looks like a name. */
function isName(text: string | undefined): text is string {
  return /^[A-Za-z0-9_.[\]-]{1,64}$/.test(text ?? '');
}

/** By their indices where all have one, else in the order of the form. */
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
  // Not a parameter: it is about all of them (https://www.rfc-editor.org/rfc/rfc7578#section-4.6).
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
  const text = Buffer.concat(chunks);
  // Text of UTF-16 may look like UTF-8 with a null before or after each character.
  if (!isUtf8(text) || text.includes(0)) throw notUtf8In(name);
  return text.toString();
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
  // Browsers send an empty text for an input that was not filled in.
  if (text === 'null' || text === '') return null;
  if (numbers.includes(name) && /^-?\d{1,9}(?:\.0+)?$/.test(text)) return Number(text);
  if (name === 'stream' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  return text;
}

const messages: Readonly<Record<string, [kind: 'request_too_large' | 'invalid_request', message: string]>> = {
  FST_REQ_FILE_TOO_LARGE: ['request_too_large', `A file of the form is longer than ${maxInputBytes} bytes.`],
  FST_FILES_LIMIT: ['request_too_large', `The form has more than ${maxParts} parts.`],
  FST_PARTS_LIMIT: ['request_too_large', `The form has more than ${maxParts} parts.`],
  FST_PROTO_VIOLATION: ['invalid_request', 'The form has a field whose name is not allowed.'],
};

/** The parser's error as a GatewayError. An error without a known code is a form that breaks off, or no form. */
function formError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const { code = '' } = error as { code?: string };
  const [kind, message] = messages[code] ?? ['invalid_request', 'The multipart form is damaged, or ends too early.'];
  return new GatewayError(kind, message, { cause: error });
}

/** The delimiter of the parts of a form. Throws a GatewayError for a content type without a usable boundary. */
function boundaryOf(contentType = ''): string {
  const [, quoted, plain] = /boundary=(?:"([^"]*)"|([^;\s]*))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain ?? '';
  if (boundary.length > 0 && boundary.length <= maxBoundary) return boundary;
  throw new GatewayError('invalid_request', 'The content type of the form has no boundary, or a very long one.');
}

/** A part is a file by its name, whatever its headers say: some clients omit the filename, some the type. */
function isFormFile(name: string | undefined, filename: string | undefined): boolean {
  return filename !== undefined || name === undefined || /^(?:image|mask|markup)(?:\[\d*\])?$/.test(name);
}
