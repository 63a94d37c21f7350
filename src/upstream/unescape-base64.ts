import { MalformedJsonError } from './malformed-json-error.ts';

const backslash = 0x5c;
const letterU = 0x75;

/**
 * Resolves the JSON escapes of a base64 text, from the first backslash on. Only characters of base64 may come out, so
 * that the result can be written into another JSON string as it is; escaped line breaks, which base64 decoders skip,
 * are left out. `rest` is an escape that the end of `text` cuts. Throws MalformedJsonError.
 */
export function unescapeBase64(text: Buffer, firstEscape: number): { plain: Buffer; rest: Buffer } {
  const plain = Buffer.allocUnsafe(text.length);
  let length = text.copy(plain, 0, 0, firstEscape);
  let at = firstEscape;
  while (at < text.length) {
    const byte = text[at] as number;
    if (byte !== backslash) {
      plain[length++] = byte;
      at += 1;
      continue;
    }
    const size = text[at + 1] === letterU ? 6 : 2;
    if (at + size > text.length) return { plain: plain.subarray(0, length), rest: text.subarray(at) };
    const character = escapedCharacter(text.toString('latin1', at + 1, at + size));
    if (character !== undefined) plain[length++] = character;
    at += size;
  }
  return { plain: plain.subarray(0, length), rest: Buffer.alloc(0) };
}

/** The byte that an escape, given without its backslash, stands for; `undefined` for a line break. */
function escapedCharacter(name: string): number | undefined {
  const code = name.startsWith('u') ? codeUnit(name.slice(1)) : shortEscapes[name];
  if (code === 0x0a || code === 0x0d) return undefined;
  if (code === undefined || !/[A-Za-z0-9+/=_-]/.test(String.fromCharCode(code))) throw notBase64();
  return code;
}

const shortEscapes: Readonly<Record<string, number>> = { '/': 0x2f, n: 0x0a, r: 0x0d };

function codeUnit(digits: string): number | undefined {
  return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

export function notBase64(): MalformedJsonError {
  return new MalformedJsonError('a picture holds a character that base64 does not have');
}
