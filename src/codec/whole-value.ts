import { backslash, closeArray, closeObject, comma, isBlank, openArray, openObject, quote } from './json-bytes.ts';
import { MalformedJsonError } from './malformed-json-error.ts';

/** Deeper values are not kept: whoever writes them again would have to climb as deep. */
const deepestKept = 32;

/** So many pieces of a text are joined: tiny ones take far more memory than their bytes do. */
const maxPieces = 64;

/**
 * One JSON value of any kind that is read to its end, from chunks that may be cut anywhere, without looking inside.
 * Its text is collected up to `limit` bytes; with a limit of 0 the value is only skipped.
 */
export class WholeValue {
  readonly #limit: number;
  #text: Buffer[] = [];
  #length = 0;
  #depth = 0;
  #deepest = 0;
  #inString = false;
  /** An odd run of backslashes ended the last chunk: the next byte of this string is escaped. */
  #escaped = false;
  #isComplete = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Longer than the limit, or nested too deeply: its text was not kept. */
  get isTooLarge(): boolean {
    return this.#length > this.#limit || this.#deepest > deepestKept;
  }

  /** True for a number or a word, which only the end of the input can end. */
  get mayEndHere(): boolean {
    return this.#depth === 0 && !this.#inString;
  }

  /** Throws MalformedJsonError when the text is not JSON. */
  parse(): unknown {
    try {
      const [only, ...others] = this.#text;
      return JSON.parse(String(only && others.length === 0 ? only : Buffer.concat(this.#text)));
    } catch {
      throw new MalformedJsonError('a value is not JSON');
    }
  }

  /** Reads on; returns the index behind what belongs to the value. */
  read(chunk: Buffer, from: number): number {
    const end = this.#findEnd(chunk, from);
    this.#length += end - from;
    if (this.isTooLarge) this.#text = [];
    else this.#text.push(chunk.subarray(from, end));
    if (this.#text.length === maxPieces) this.#text = [Buffer.concat(this.#text)];
    return end;
  }

  #findEnd(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && !this.#isComplete) {
      if (this.#inString) at = this.#skipString(chunk, at);
      else if (this.#depth === 0 && endsScalar(chunk[at] as number)) this.#isComplete = true;
      else at = this.#skipByte(chunk[at] as number, at);
    }
    return at;
  }

  #skipByte(byte: number, at: number): number {
    if (byte === quote) this.#inString = true;
    else if (byte === openObject || byte === openArray) this.#deepest = Math.max(this.#deepest, ++this.#depth);
    else if (byte === closeObject || byte === closeArray) {
      this.#depth -= 1;
      this.#isComplete = this.#depth === 0;
    }
    return at + 1;
  }

  /** Moves behind the closing quote, or to the end of the chunk. */
  #skipString(chunk: Buffer, from: number): number {
    let start = this.#escaped ? from + 1 : from;
    this.#escaped = false;
    for (;;) {
      const end = chunk.indexOf(quote, start);
      const isEscaped = oddBackslashesBefore(chunk, start, end === -1 ? chunk.length : end);
      if (end === -1) {
        this.#escaped = isEscaped;
        return chunk.length;
      }
      start = end + 1;
      if (isEscaped) continue;
      this.#inString = false;
      this.#isComplete = this.#depth === 0;
      return start;
    }
  }
}

function endsScalar(byte: number): boolean {
  return byte === comma || byte === closeObject || byte === closeArray || isBlank(byte);
}

function oddBackslashesBefore(chunk: Buffer, start: number, end: number): boolean {
  let run = 0;
  while (end - run > start && chunk[end - run - 1] === backslash) run += 1;
  return run % 2 === 1;
}
