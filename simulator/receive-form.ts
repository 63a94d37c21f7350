import { createHash } from 'node:crypto';
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { type PlainResponse, refusal } from './azure-errors.ts';
import type { RequestBody } from './incoming-request.ts';
import { type ImageFacts, inspectImage } from './inspect-image.ts';

/** One file of a form, without its bytes. `sha256` is in hexadecimal digits. */
type FileRecord = {
  readonly part: string;
  readonly filename: string | undefined;
  readonly contentType: string;
  readonly bytes: number;
  readonly sha256: string;
};

/** What the ledger keeps of a form: names and values in the order in which they came. */
export type FormRecord = {
  readonly fields: readonly (readonly [name: string, value: unknown])[];
  readonly files: readonly FileRecord[];
};

/** A file of a form, and what its bytes say. */
export type ReceivedFile = FileRecord & { readonly facts: ImageFacts };

/** A form that has arrived completely. `lateField` is the first field that came after a file. */
export type ReceivedForm = {
  readonly record: FormRecord;
  readonly files: readonly ReceivedFile[];
  readonly lateField: string | undefined;
};

const megabyte = 1024 * 1024;
const largestForm = 1024 * megabyte;
// Of the first image enough to draw from it, of every other one enough for its type and size.
const [keptOfFirst, keptOfOthers] = [8 * megabyte, megabyte / 4];

/** How forms are parsed: what the edit endpoints want as files counts as such also without a file name. */
export const formOptions = {
  // A file name is recorded as it was sent.
  preservePath: true,
  limits: { fileSize: largestForm, files: 32, fields: 64 },
  isPartAFile: (name: string | undefined, contentType: string | undefined, filename: string | undefined) =>
    filename !== undefined || contentType === 'application/octet-stream' || fileRoleOf(name) !== undefined,
};

/** Reads a form to its end. Files are counted and hashed while they pass; of their bytes only the first are kept. */
export async function receiveForm(request: FastifyRequest): Promise<ReceivedForm> {
  try {
    return await readParts(request);
  } catch (error) {
    // Read on: a client that is still sending its form would not read the response.
    request.raw.resume();
    // The parser of forms gives its errors no status, and each of them is the sender's.
    throw Object.assign(error as Error, { statusCode: (error as { statusCode?: number }).statusCode ?? 400 });
  }
}

async function readParts(request: FastifyRequest): Promise<ReceivedForm> {
  const fields: [string, unknown][] = [];
  const files: ReceivedFile[] = [];
  let lateField: string | undefined;
  for await (const part of request.parts()) {
    if (part.type === 'file') {
      const left = files.reduce((rest, { bytes }) => rest - bytes, largestForm);
      const isFirst = isImage(part.fieldname) && !files.some((file) => isImage(file.part));
      files.push(await receiveFile(part, isFirst ? keptOfFirst : keptOfOthers, left));
    } else {
      fields.push([part.fieldname, part.value]);
      if (files.length > 0) lateField ??= part.fieldname;
    }
  }
  return { record: { fields, files: files.map(({ facts, ...file }) => file) }, files, lateField };
}

function isImage(part: string): boolean {
  return fileRoleOf(part) === 'image';
}

async function receiveFile(part: MultipartFile, kept: number, allowed: number): Promise<ReceivedFile> {
  const hash = createHash('sha256');
  const beginning: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of part.file as AsyncIterable<Buffer>) {
    hash.update(chunk);
    if (bytes < kept) beginning.push(chunk.subarray(0, kept - bytes));
    bytes += chunk.length;
    if (bytes > allowed) throw Object.assign(new Error('The form is too large.'), { statusCode: 413 });
  }
  const { fieldname, filename, mimetype: contentType } = part;
  const isWhole = bytes <= kept;
  const facts = await inspectImage(Buffer.concat(beginning, isWhole ? bytes : keptOfOthers), isWhole);
  return { part: fieldname, filename, contentType, bytes, sha256: hash.digest('hex'), facts };
}

/** What a file of an edit is for. */
type FileRole = 'image' | 'mask' | 'markup';

const roles: readonly (readonly [FileRole, RegExp])[] = [
  // One image, a list of them, or numbered ones.
  ['image', /^image(?:\[\d*\])?$/],
  ['mask', /^mask$/],
  ['markup', /^markup$/],
];

/** The role of the part with this name, or undefined when an edit has no such file. */
export function fileRoleOf(part: string | undefined): FileRole | undefined {
  return roles.find(([, pattern]) => pattern.test(part ?? ''))?.[0];
}

const numbers = new Set(['n', 'output_compression', 'partial_images', 'width', 'height', 'seed']);
const flags = new Set(['stream']);
// Some upstreams expect a capital; clients send lower case.
const flagTexts: Readonly<Record<string, boolean>> = { true: true, True: true, false: false, False: false };

/** The fields of a form as the body that a JSON request would have, or why they are none. */
export function formBody({ record, lateField }: ReceivedForm): { body: RequestBody } | PlainResponse {
  if (lateField !== undefined) {
    const message = `The field '${lateField}' comes after a file; all fields have to come before all files.`;
    return refusal(message, lateField, 'field_after_file');
  }
  const names = record.fields.map(([name]) => name);
  const double = names.find((name, position) => names.indexOf(name) !== position);
  if (double !== undefined) return refusal(`Duplicate parameter: '${double}'.`, double, 'duplicate_parameter');
  return { body: Object.fromEntries(record.fields.map(([name, value]) => [name, fieldValue(name, value)])) };
}

// Text that is no number stays text, so that the check of the parameter finds a value of the wrong type.
function fieldValue(name: string, text: unknown): unknown {
  if (typeof text !== 'string') return text;
  if (numbers.has(name) && /^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
  return flags.has(name) && Object.hasOwn(flagTexts, text) ? flagTexts[text] : text;
}
