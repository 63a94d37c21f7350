// What JSON text (RFC 8259) is made of, as bytes: its structure, its whole values, and the escapes of its strings.

export const quote = 0x22;
export const backslash = 0x5c;
export const openObject = 0x7b;
export const closeObject = 0x7d;
export const openArray = 0x5b;
export const closeArray = 0x5d;
export const colon = 0x3a;
export const comma = 0x2c;
const letterU = 0x75;

/** Space, tab, line feed, carriage return. */
export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** The body is not JSON, or ends before its outermost value does. */
export class MalformedJsonError extends Error {
  override readonly name = 'MalformedJsonError';
  /** What arrived was a beginning of JSON: the rest of it was lost. */
  readonly isCut: boolean;

  constructor(message: string, { isCut = false }: { isCut?: boolean } = {}) {
    super(message);
    this.isCut = isCut;
  }
}

/** JSON, but not the text that was asked for. */
export class UnusableTextError extends MalformedJsonError {
  constructor() {
    super('a text holds a character that does not belong there');
  }
}

/** Deeper values are not kept: writing them again would recurse as deep. */
const maxDepth = 32;

/** More pieces of a text are joined: tiny buffers take far more memory than their bytes. */
const maxPieces = 64;

/**
 * One JSON value of any kind that is read to its end, from chunks that may be cut anywhere, without looking inside.
 * Its text is collected up to `limit` bytes; with a limit of 0 the value is only skipped.
 */
export class WholeValue {
  readonly #limit: number;
  isComplete = false;
  /** Longer than the limit, or nested too deeply: its text was not kept. */
  isTooLarge = false;
  #text: Buffer[] = [];
  #length = 0;
  #depth = 0;
  #inString = false;
  /** An odd run of backslashes ended the last chunk: the next byte of this string is escaped. */
  #escaped = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True for a number or a word, which only the end of the input can end. */
  get mayEndHere(): boolean {
    return this.#depth === 0 && !this.#inString;
  }

  /** Throws MalformedJsonError when the text is not JSON. */
  parse(): unknown {
    try {
      return JSON.parse(String(this.#text.length === 1 ? this.#text[0] : Buffer.concat(this.#text)));
    } catch {
      throw new MalformedJsonError('a value is not JSON');
    }
  }

  /** Reads on; returns the index behind what belongs to the value. */
  read(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && !this.isComplete) {
      if (this.#inString) {
        at = this.#skipString(chunk, at);
        continue;
      }
      const byte = chunk[at] as number;
      const isClose = byte === closeObject || byte === closeArray;
      // Whatever ends a number or a word does not belong to it.
      this.isComplete = this.#depth === 0 && (isClose || byte === comma || isBlank(byte));
      if (this.isComplete) break;
      at += 1;
      if (byte === quote) this.#inString = true;
      else if (byte === openObject || byte === openArray) {
        this.#depth += 1;
        this.isTooLarge ||= this.#depth > maxDepth;
      } else if (isClose) {
        this.#depth -= 1;
        this.isComplete = this.#depth === 0;
      }
    }
    this.#length += at - from;
    this.isTooLarge ||= this.#length > this.#limit;
    if (this.isTooLarge) this.#text = [];
    else this.#text.push(chunk.subarray(from, at));
    if (this.#text.length === maxPieces) this.#text = [Buffer.concat(this.#text)];
    return at;
  }

  /** Moves behind the closing quote, or to the end of the chunk. */
  #skipString(chunk: Buffer, from: number): number {
    let start = this.#escaped ? from + 1 : from;
    for (;;) {
      const quoteAt = chunk.indexOf(quote, start);
      const end = quoteAt === -1 ? chunk.length : quoteAt;
      let backslashes = 0;
      while (end - backslashes > start && chunk[end - backslashes - 1] === backslash) backslashes += 1;
      this.#escaped = backslashes % 2 === 1;
      if (quoteAt === -1) return end;
      start = end + 1;
      if (this.#escaped) continue;
      this.#inString = false;
      this.isComplete = this.#depth === 0;
      return start;
    }
  }
}

/** Of the characters that an escape may stand for, base64 can be written into another JSON string as it is. */
export const base64Characters = /[A-Za-z0-9+/=_-]/;
export const asciiCharacters = /[\x20-\x7e]/;

/**
 * Resolves the JSON escapes of a streamed text, from the first backslash on. Escaped line breaks, which readers of base64
 * and of URLs skip, are left out. `rest` is an escape that the end of `text` cuts. Throws UnusableTextError.
 * @param allowed the characters that an escape may stand for
 */
export function unescapeText(text: Buffer, firstEscape: number, allowed: RegExp): { plain: Buffer; rest: Buffer } {
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

const shortEscapes: Readonly<Record<string, number>> = {
  '/': 0x2f,
  '\\': 0x5c,
  '"': 0x22,
  n: 0x0a,
  r: 0x0d,
};

/** The byte that an escape, given without its backslash, stands for; `undefined` for a line break. */
function escapedCharacter(name: string, allowed: RegExp): number | undefined {
  const code = /^u[0-9a-fA-F]{4}$/.test(name) ? Number.parseInt(name.slice(1), 16) : shortEscapes[name];
  if (code === 0x0a || code === 0x0d) return undefined;
  if (code === undefined || !allowed.test(String.fromCharCode(code))) throw new UnusableTextError();
  return code;
}

/** The value of a JSON text, or `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Strings, and whether each is the name of a member; the braces outside of them. */
const stringsAndBraces = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/gs;

/**
 * The first member of an object that has another one of its name: the names from the outermost object inwards. Parsers
 * differ in which of the two they take, so nobody knows which one is meant. @param text valid JSON
 */
export function repeatedMember(text: string): readonly string[] | undefined {
  const objects: { readonly names: Set<string>; last: string }[] = [];
  for (const [token, colon] of text.matchAll(stringsAndBraces)) {
    if (token === '{') objects.push({ names: new Set(), last: '' });
    else if (token === '}') objects.pop();
    const object = objects.at(-1);
    if (colon === undefined || object === undefined) continue;
    object.last = JSON.parse(token.slice(0, -colon.length));
    if (object.names.has(object.last)) return objects.map(({ last }) => last);
    object.names.add(object.last);
  }
  return undefined;
}
