import { MalformedJsonError } from './malformed-json-error.ts';

const backslash = 0x5c;
const letterU = 0x75;

/** The characters that an escape of a streamed text may stand for. */
export type EscapedCharacters = RegExp;

/** Of these, base64 can be written into another JSON string as it is. */
export const base64Characters: EscapedCharacters = /[A-Za-z0-9+/=_-]/;
export const asciiCharacters: EscapedCharacters = /[\x20-\x7e]/;

/**
 * Resolves the JSON escapes of a streamed text, from the first backslash on. Escaped line breaks, which readers of base64
 * and of URLs skip, are left out. `rest` is an escape that the end of `text` cuts. Throws MalformedJsonError.
 */
export function unescapeText(
  text: Buffer,
  firstEscape: number,
  allowed: EscapedCharacters,
): { plain: Buffer; rest: Buffer } {
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
    const character = escapedCharacter(text.toString('latin1', at + 1, at + size), allowed);
    if (character !== undefined) plain[length++] = character;
    at += size;
  }
  return { plain: plain.subarray(0, length), rest: Buffer.alloc(0) };
}

/** The byte that an escape, given without its backslash, stands for; `undefined` for a line break. */
function escapedCharacter(name: string, allowed: EscapedCharacters): number | undefined {
  const code = name.startsWith('u') ? codeUnit(name.slice(1)) : shortEscapes[name];
  if (code === 0x0a || code === 0x0d) return undefined;
  if (code === undefined || !allowed.test(String.fromCharCode(code))) throw unusableText();
  return code;
}

const shortEscapes: Readonly<Record<string, number>> = {
  '/': 0x2f,
  '\\': 0x5c,
  '"': 0x22,
  n: 0x0a,
  r: 0x0d,
};

function codeUnit(digits: string): number | undefined {
  return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** JSON, but not the text that was asked for. */
export class UnusableTextError extends MalformedJsonError {}

export function unusableText(): MalformedJsonError {
  return new UnusableTextError('a text holds a character that does not belong there');
}
