import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../domain/gateway-error.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that these bytes are in UTF-8; `undefined`: they are not, and to replace some would alter what was asked. */
export function decodeUtf8(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? utf8.decode(bytes) : undefined;
}

/** Passes a body on while it arrives. Throws a GatewayError at the first byte that is not UTF-8. */
export async function* utf8Only(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let cut: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    const bytes = cut.length === 0 ? chunk : Buffer.concat([cut, chunk]);
    const end = bytes.length - cutBytes(bytes);
    if (!isUtf8(bytes.subarray(0, end))) throw notUtf8();
    cut = bytes.subarray(end);
    yield chunk;
  }
  if (cut.length > 0) throw notUtf8();
}

/** How many bytes at the end begin a character that goes on in the next chunk. */
function cutBytes(bytes: Buffer): number {
  const last = bytes.subarray(-3);
  const start = last.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  const length = start === -1 ? 0 : sequenceLength(last[start] as number);
  return length > last.length - start ? last.length - start : 0;
}

function sequenceLength(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}

export function notUtf8(): GatewayError {
  return new GatewayError('invalid_json', "The request's body is not valid UTF-8.");
}

/** Throws a GatewayError for a content type that declares another charset than UTF-8, of which ASCII is a part. */
export function checkCharset(contentType?: string): void {
  const problem = charsetProblem(contentType);
  if (problem) throw problem;
}

/** The error of {@link checkCharset}. */
export function charsetProblem(contentType = ''): GatewayError | undefined {
  const declared = contentType.matchAll(/;\s*charset\s*=\s*(?:["']([^"']*)["']|([^;\s]*))/gi);
  for (const [, quoted, plain = ''] of declared) {
    const charset = quoted ?? plain;
    if (/^(?:utf[-_]?8|(?:us-)?ascii)?$/i.test(charset)) continue;
    const shown = /^[A-Za-z0-9_.:-]{1,40}$/.test(charset) ? ` '${charset}'` : '';
    return new GatewayError('unsupported_content_type', `The charset${shown} is not supported: text must be UTF-8.`);
  }
  return undefined;
}
