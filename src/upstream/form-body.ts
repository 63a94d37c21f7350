import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { PaidBody } from './paid-body.ts';

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
    open: () => Readable.from(content(), { objectMode: false }),
  };

  async function* content(): AsyncGenerator<Buffer> {
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
