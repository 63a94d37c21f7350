/** One part of a form: a field when it has a text, a file when it has bytes. */
export type FormPart =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly bytes: Buffer; readonly filename?: string; readonly type?: string };

const boundary = 'form-of-a-test';
export const formHeaders = { 'content-type': `multipart/form-data; boundary=${boundary}` };

/** The fields of a form. */
export function fields(values: Readonly<Record<string, string>>): FormPart[] {
  return Object.entries(values).map(([name, text]) => ({ name, text }));
}

/** Writes a form by hand, so that it can be as wrong as a test wants it. */
export function writeForm(parts: readonly FormPart[]): Buffer {
  const written = parts.flatMap((part) => [Buffer.from(headOf(part)), contentOf(part), Buffer.from('\r\n')]);
  return Buffer.concat([...written, Buffer.from(`--${boundary}--\r\n`)]);
}

function headOf(part: FormPart): string {
  const filename = 'bytes' in part && part.filename !== undefined ? `; filename="${part.filename}"` : '';
  const type = 'bytes' in part && part.type !== undefined ? `\r\ncontent-type: ${part.type}` : '';
  return `--${boundary}\r\ncontent-disposition: form-data; name="${part.name}"${filename}${type}\r\n\r\n`;
}

function contentOf(part: FormPart): Buffer {
  return 'bytes' in part ? part.bytes : Buffer.from(part.text);
}
