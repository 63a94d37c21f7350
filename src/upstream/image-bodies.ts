import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { base64Length, dataUrl, dataUrlLength, encodeBase64 } from '../codec/base64.ts';
import type { InputReader, InputReference } from '../domain/image-input.ts';
import type { PaidBody } from './client.ts';

/** A file of a form; `name` and `filename` hold no quotes, backslashes or line breaks. */
export type FormFile = {
  readonly name: string;
  readonly filename: string;
  readonly contentType: string;
  readonly bytes: number;
  open(): AsyncIterable<Buffer>;
};

/** A `multipart/form-data` body (RFC 7578) of text fields, followed by files that are read anew for each sending. */
export function formBody(
  fields: readonly (readonly [name: string, value: string])[],
  files: readonly FormFile[],
): PaidBody {
  const boundary = `gateway-${randomBytes(24).toString('base64url')}`;
  const disposition = (name: string) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"`;
  const texts = Buffer.from(fields.map(([name, value]) => `${disposition(name)}\r\n\r\n${value}\r\n`).join(''));
  const parts = files.map((file) => ({
    file,
    head: Buffer.from(
      `${disposition(file.name)}; filename="${file.filename}"\r\ncontent-type: ${file.contentType}\r\n\r\n`,
    ),
  }));
  const end = Buffer.from(`--${boundary}--\r\n`);
  const lengths = parts.map(({ file, head }) => head.length + file.bytes + lineBreak.length);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    length: lengths.reduce((sum, length) => sum + length, texts.length + end.length),
    content: () => Readable.from(chunks(), { objectMode: false }),
  };

  async function* chunks(): AsyncGenerator<Buffer> {
    yield texts;
    for (const { file, head } of parts) {
      yield head;
      yield* file.open();
      yield lineBreak;
    }
    yield end;
  }
}

const lineBreak = Buffer.from('\r\n');

/** Gives what stands in a JSON value for an image. */
export type Place = (image: InputReference) => string;

/** How an image stands in JSON: as a data URL, or as nothing but its base64. */
type ImageForm = 'data-url' | 'base64';

/**
 * A JSON body with images. They are encoded while they are sent, anew for each sending, so that no more than a piece of
 * them is held.
 *
 * @param build makes the JSON value
 * @param inputs has the bytes of the images; only read where the value has any
 */
export function jsonWithImages(
  build: (place: Place) => unknown,
  inputs: InputReader | undefined,
  form: ImageForm = 'data-url',
): PaidBody {
  const images: InputReference[] = [];
  const mark = randomUUID();
  const value = build((image) => `${mark}:${images.push(image) - 1};`);
  // Texts, and between them the numbers of images.
  const parts = JSON.stringify(value).split(new RegExp(`${mark}:(\\d+);`));
  const pieces = parts.map((part, at) => (at % 2 === 0 ? Buffer.from(part) : (images[Number(part)] as InputReference)));
  return {
    contentType: 'application/json',
    length: pieces.reduce((sum, piece) => sum + (Buffer.isBuffer(piece) ? piece.length : lengthIn[form](piece)), 0),
    content: () => Readable.from(chunks(), { objectMode: false }),
  };

  async function* chunks(): AsyncGenerator<Buffer> {
    for (const piece of pieces) {
      if (Buffer.isBuffer(piece)) yield piece;
      else if (!inputs) continue;
      else if (form === 'base64') yield* encodeBase64(inputs.open(piece));
      else yield* dataUrl(piece.type, inputs.open(piece));
    }
  }
}

const lengthIn: Readonly<Record<ImageForm, (image: InputReference) => number>> = {
  'data-url': dataUrlLength,
  base64: ({ size }) => base64Length(size),
};
