import { randomUUID } from 'node:crypto';

export type FilePart = {
  readonly name: string;
  readonly filename: string;
  readonly type: string;
  readonly bytes: Buffer;
};

/** A form as bytes that are sent in chunks, as clients do that stream what they upload. */
export function streamedForm(fields: Readonly<Record<string, string>>, files: readonly FilePart[]) {
  const boundary = randomUUID();
  async function* write() {
    for (const [name, value] of Object.entries(fields)) {
      yield Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
    }
    for (const { name, filename, type, bytes } of files) {
      const disposition = `form-data; name="${name}"; filename="${filename}"`;
      yield Buffer.from(`--${boundary}\r\nContent-Disposition: ${disposition}\r\nContent-Type: ${type}\r\n\r\n`);
      yield bytes;
      yield Buffer.from('\r\n');
    }
    yield Buffer.from(`--${boundary}--\r\n`);
  }
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: ReadableStream.from(write()) };
}
