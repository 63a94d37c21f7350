import {
  backslash,
  closeArray,
  closeObject,
  colon,
  comma,
  isBlank,
  openArray,
  openObject,
  quote,
} from './json-bytes.ts';
import { MalformedJsonError } from './malformed-json-error.ts';
import {
  asciiCharacters,
  base64Characters,
  type EscapedCharacters,
  unescapeText,
  unusableText,
} from './unescape-text.ts';
import { WholeValue } from './whole-value.ts';

/**
 * What to take out of a JSON value. `keep`: parse it and hand it over whole. `stream`: a base64 text, handed over in
 * pieces as they arrive; `stream-ascii`: the same for a text of printable ASCII, such as a URL. Members that are not
 * named are skipped without being stored, unless `others` says what to do with them. `either`: the first of these shapes that
 * the value's first byte can begin.
 */
export type JsonShape = SingleShape | { readonly either: readonly SingleShape[] };
type SingleShape = 'keep' | 'stream' | 'stream-ascii' | ObjectShape | ArrayShape;
type ObjectShape = { readonly members: Readonly<Record<string, JsonShape>>; readonly others?: JsonShape };
type ArrayShape = { readonly items: JsonShape };

/** Where a value stands: member names and item indices from the outermost value inwards. */
export type JsonPath = readonly (string | number)[];

export type ScanToken =
  | { readonly type: 'value'; readonly path: JsonPath; readonly value: unknown }
  /** A value that should be kept was longer than the scanner's limit, or nested too deeply. */
  | { readonly type: 'dropped'; readonly path: JsonPath }
  /** A streamed text begins; its `piece`s and its `text-end` follow at once. */
  | { readonly type: 'text'; readonly path: JsonPath }
  | { readonly type: 'piece'; readonly bytes: Buffer }
  | { readonly type: 'text-end' }
  /** An object or array that the shape describes has ended. */
  | { readonly type: 'close'; readonly path: JsonPath };

type Options = {
  /** The longest value that is kept, in bytes of its JSON text. */
  readonly keptBytes?: number;
  /** Whether anything but blanks after the outermost value is an error. */
  readonly isStrict?: boolean;
};

/** No answer needs a longer value beside its images. */
export const usuallyKeptBytes = 64 * 1024;

const maxKey = 256;

const byteOrderMark = [0xef, 0xbb, 0xbf];

type Expectation = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing';

type Frame = { readonly shape: ObjectShape | ArrayShape; readonly path: JsonPath; key: string | number };

/**
 * Reads JSON from chunks that may be cut anywhere, and holds no more of it than one chunk and the values to keep.
 * It checks the structure around the values that the shape names; what it skips it only delimits.
 * Bytes after the outermost value are ignored, unless it is strict: the images are complete by then.
 */
export class JsonScanner {
  readonly #shape: JsonShape;
  readonly #keptBytes: number;
  readonly #isStrict: boolean;
  readonly #frames: Frame[] = [];
  #expects: Expectation = 'value';
  #mode: 'structure' | 'whole' | 'text' = 'structure';
  #tokens: ScanToken[] = [];
  /** How many bytes of a byte order mark have been seen at the very beginning; its length once anything else came. */
  #markBytes = 0;

  #whole = new WholeValue(0);
  #wholeRole: { readonly kind: 'key' | 'kept' | 'skipped'; readonly path: JsonPath } = { kind: 'skipped', path: [] };
  /** The beginning of an escape of a streamed text that the last chunk cut. */
  #cutEscape: Buffer = Buffer.alloc(0);
  #characters: EscapedCharacters = base64Characters;

  constructor(shape: JsonShape, { keptBytes = usuallyKeptBytes, isStrict = false }: Options = {}) {
    this.#shape = shape;
    this.#keptBytes = keptBytes;
    this.#isStrict = isStrict;
  }

  /** True once the outermost value has ended: nothing that follows matters. */
  get isComplete(): boolean {
    return this.#expects === 'nothing';
  }

  /** The tokens that this chunk completes. Throws MalformedJsonError. */
  push(chunk: Buffer): readonly ScanToken[] {
    this.#tokens = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#mode === 'text') at = this.#readText(chunk, at);
      else if (this.#mode === 'whole') at = this.#readWhole(chunk, at);
      else at = this.#readStructure(chunk, at);
    }
    return this.#tokens;
  }

  /** Call once after the last chunk. Throws MalformedJsonError when the outermost value is not complete. */
  end(): readonly ScanToken[] {
    this.#tokens = [];
    if (this.#mode === 'whole' && this.#whole.mayEndHere) this.#endWhole();
    if (this.#expects !== 'nothing') {
      const isCut = this.#frames.length > 0 || this.#mode !== 'structure';
      throw new MalformedJsonError('the JSON text ends too early', { isCut });
    }
    return this.#tokens;
  }

  #readStructure(chunk: Buffer, at: number): number {
    const byte = chunk[at] as number;
    if (this.#expects === 'nothing') return this.#skipRest(chunk, at);
    if (byte === byteOrderMark[this.#markBytes]) {
      this.#markBytes += 1;
      return at + 1;
    }
    this.#markBytes = byteOrderMark.length;
    if (isBlank(byte)) return at + 1;
    switch (this.#expects) {
      case 'value or end':
        return byte === closeArray ? this.#closeFrame(at) : this.#beginValue(byte, at);
      case 'value':
        return this.#beginValue(byte, at);
      case 'key or end':
        return byte === closeObject ? this.#closeFrame(at) : this.#beginKey(byte, at);
      case 'key':
        return this.#beginKey(byte, at);
      case 'colon':
        if (byte !== colon) throw unexpected(byte);
        this.#expects = 'value';
        return at + 1;
      case 'comma or end':
        return this.#readSeparator(byte, at);
    }
  }

  #skipRest(chunk: Buffer, at: number): number {
    const extra = this.#isStrict ? chunk.subarray(at).find((byte) => !isBlank(byte)) : undefined;
    if (extra !== undefined) throw unexpected(extra);
    return chunk.length;
  }

  #readSeparator(byte: number, at: number): number {
    const frame = this.#frames.at(-1) as Frame;
    const inArray = 'items' in frame.shape;
    if (byte === (inArray ? closeArray : closeObject)) return this.#closeFrame(at);
    if (byte !== comma) throw unexpected(byte);
    if (typeof frame.key === 'number') frame.key += 1;
    this.#expects = inArray ? 'value' : 'key';
    return at + 1;
  }

  #beginKey(byte: number, at: number): number {
    if (byte !== quote) throw unexpected(byte);
    return this.#beginWhole('key', maxKey, [], at);
  }

  #beginValue(byte: number, at: number): number {
    const shape = shapeBegunBy(byte, this.#shapeOfNextValue());
    const path = shape === undefined ? [] : this.#pathOfNextValue();
    if ((shape === 'stream' || shape === 'stream-ascii') && byte === quote) {
      this.#tokens.push({ type: 'text', path });
      this.#characters = shape === 'stream' ? base64Characters : asciiCharacters;
      this.#mode = 'text';
      return at + 1;
    }
    if (typeof shape === 'object' && byte === ('items' in shape ? openArray : openObject)) {
      this.#frames.push({ shape, path, key: 'items' in shape ? 0 : '' });
      this.#expects = 'items' in shape ? 'value or end' : 'key or end';
      return at + 1;
    }
    if (byte === comma || byte === colon || byte === closeArray || byte === closeObject) throw unexpected(byte);
    // A value of another form than its shape (null where a text is expected) is kept, for the reader to judge.
    return shape === undefined
      ? this.#beginWhole('skipped', 0, path, at)
      : this.#beginWhole('kept', this.#keptBytes, path, at);
  }

  #beginWhole(kind: 'key' | 'kept' | 'skipped', limit: number, path: JsonPath, at: number): number {
    this.#whole = new WholeValue(limit);
    this.#wholeRole = { kind, path };
    this.#mode = 'whole';
    return at;
  }

  #shapeOfNextValue(): JsonShape | undefined {
    const frame = this.#frames.at(-1);
    if (frame === undefined) return this.#shape;
    if ('items' in frame.shape) return frame.shape.items;
    const { members, others } = frame.shape;
    return Object.hasOwn(members, frame.key) ? members[frame.key] : others;
  }

  #pathOfNextValue(): JsonPath {
    const frame = this.#frames.at(-1);
    return frame === undefined ? [] : [...frame.path, frame.key];
  }

  #closeFrame(at: number): number {
    const frame = this.#frames.pop() as Frame;
    this.#tokens.push({ type: 'close', path: frame.path });
    this.#endValue();
    return at + 1;
  }

  #endValue(): void {
    this.#mode = 'structure';
    this.#expects = this.#frames.length === 0 ? 'nothing' : 'comma or end';
  }

  // --- values that are read whole: keys, kept and skipped values ---

  #readWhole(chunk: Buffer, from: number): number {
    const at = this.#whole.read(chunk, from);
    if (this.#whole.isComplete) this.#endWhole();
    return at;
  }

  #endWhole(): void {
    const { kind, path } = this.#wholeRole;
    if (kind === 'key') {
      const frame = this.#frames.at(-1) as Frame;
      frame.key = this.#whole.isTooLarge ? '' : String(this.#whole.parse());
      this.#mode = 'structure';
      this.#expects = 'colon';
      return;
    }
    if (kind === 'kept') {
      const token: ScanToken = this.#whole.isTooLarge
        ? { type: 'dropped', path }
        : { type: 'value', path, value: this.#whole.parse() };
      this.#tokens.push(token);
    }
    this.#endValue();
  }

  // --- streamed texts ---

  #readText(chunk: Buffer, from: number): number {
    const at = this.#cutEscape.length > 0 ? this.#completeEscape(chunk, from) : from;
    const end = chunk.indexOf(quote, at);
    const text = chunk.subarray(at, end === -1 ? chunk.length : end);
    // Raw line breaks are not JSON; in an event stream they would end the line that the image is written to.
    if (text.includes(0x0a) || text.includes(0x0d)) throw unusableText();
    const firstEscape = text.indexOf(backslash);
    if (firstEscape === -1) {
      this.#pushPiece(text);
    } else {
      const { plain, rest } = unescapeText(text, firstEscape, this.#characters);
      this.#pushPiece(plain);
      this.#cutEscape = Buffer.from(rest);
    }
    if (end === -1) return chunk.length;
    if (this.#cutEscape.length > 0) throw unusableText();
    this.#tokens.push({ type: 'text-end' });
    this.#endValue();
    return end + 1;
  }

  /** Feeds bytes to an escape that the last chunk cut, until it is complete or the chunk ends. */
  #completeEscape(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at += 1) {
      const { plain, rest } = unescapeText(joined(this.#cutEscape, chunk[at] as number), 0, this.#characters);
      this.#cutEscape = rest;
      if (rest.length > 0) continue;
      this.#pushPiece(plain);
      return at + 1;
    }
    return chunk.length;
  }

  #pushPiece(bytes: Buffer): void {
    if (bytes.length > 0) this.#tokens.push({ type: 'piece', bytes });
  }
}

function shapeBegunBy(byte: number, shape: JsonShape | undefined): SingleShape | undefined {
  if (typeof shape !== 'object' || !('either' in shape)) return shape;
  return shape.either.find((one) => byte === firstByte(one)) ?? 'keep';
}

function firstByte(shape: SingleShape): number | undefined {
  if (shape === 'stream' || shape === 'stream-ascii') return quote;
  if (shape === 'keep') return undefined;
  return 'items' in shape ? openArray : openObject;
}

function joined(beginning: Buffer, byte: number): Buffer {
  return Buffer.concat([beginning, Buffer.of(byte)]);
}

function unexpected(byte: number): MalformedJsonError {
  return new MalformedJsonError(`byte 0x${byte.toString(16)} is not JSON here`);
}
