import {
  asciiCharacters,
  backslash,
  base64Characters,
  closeArray,
  closeObject,
  colon,
  comma,
  isBlank,
  MalformedJsonError,
  openArray,
  openObject,
  quote,
  UnusableTextError,
  unescapeText,
  WholeValue,
} from './json-text.ts';

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

/** No response needs a longer value beside its images. */
export const defaultKeptBytes = 64 * 1024;

/**
 * The tokens of a JSON body while it arrives, a list for each chunk. Ends with the outermost value, even if the body does
 * not: the images are complete then, however their connection ends. Throws MalformedJsonError, and whatever the body
 * throws before.
 */
export async function* scanJson(body: AsyncIterable<Buffer>, shape: JsonShape): AsyncGenerator<readonly ScanToken[]> {
  const scanner = new JsonScanner(shape);
  for await (const chunk of body) {
    yield scanner.push(chunk);
    if (scanner.isComplete) return;
  }
  yield scanner.end();
}

/**
 * The tokens of a JSON body to its very end: after the outermost value nothing but blanks may come. Throws
 * MalformedJsonError, and whatever the body throws. @param keptBytes the longest value that is kept
 */
export async function* scanWholeJson(
  body: AsyncIterable<Buffer>,
  shape: JsonShape,
  keptBytes: number,
): AsyncGenerator<ScanToken> {
  const scanner = new JsonScanner(shape, { keptBytes, isStrict: true });
  // Not `yield*`, which waits for each token of a list that is already there.
  for await (const chunk of body) for (const token of scanner.push(chunk)) yield token;
  yield* scanner.end();
}

const maxKey = 256;

const byteOrderMark = [0xef, 0xbb, 0xbf];

/** An object or array that is being read. */
type Frame = {
  readonly shape: ObjectShape | ArrayShape;
  readonly path: JsonPath;
  /** The byte that ends it. */
  readonly close: number;
  /** The name of the member, or the index of the item, that is being read. */
  key: string | number;
  /** The shape of its value. */
  next: JsonShape | undefined;
};

/** A value that is read whole: the name of a member, or a value that is kept or skipped. */
type Whole = { readonly role: 'key' | 'kept' | 'skipped'; readonly path: JsonPath; readonly text: WholeValue };

/**
 * Reads JSON from chunks that may be cut anywhere, and holds no more of it than one chunk and the values to keep.
 * It checks the structure around the values that the shape names; what it skips it only delimits.
 * Bytes after the outermost value are ignored, unless it is strict: the images are complete by then.
 */
export class JsonScanner {
  readonly #shape: JsonShape;
  readonly #keptBytes: number;
  readonly #isStrict: boolean;
  /** True once the outermost value has ended: nothing that follows matters. */
  isComplete = false;
  readonly #frames: Frame[] = [];
  #expects: 'value' | 'key' | 'colon' | 'comma' = 'value';
  /** Whether the innermost frame may end here. */
  #mayClose = false;
  /** Inside a streamed text. */
  #isInText = false;
  #whole: Whole | undefined;
  #tokens: ScanToken[] = [];
  /** How many bytes of a byte order mark have been seen at the very beginning; its length once anything else came. */
  #markBytes = 0;

  /** The beginning of an escape of a streamed text that the last chunk cut. */
  #cutEscape: Buffer = Buffer.alloc(0);
  /** The characters that an escape of it may stand for. */
  #characters = base64Characters;

  constructor(shape: JsonShape, { keptBytes = defaultKeptBytes, isStrict = false }: Options = {}) {
    this.#shape = shape;
    this.#keptBytes = keptBytes;
    this.#isStrict = isStrict;
  }

  /** The tokens that this chunk completes. Throws MalformedJsonError. */
  push(chunk: Buffer): readonly ScanToken[] {
    this.#tokens = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#isInText) at = this.#readText(chunk, at);
      else if (this.#whole === undefined) at = this.#readStructure(chunk, at);
      else {
        at = this.#whole.text.read(chunk, at);
        if (this.#whole.text.isComplete) this.#endWhole(this.#whole);
      }
    }
    return this.#tokens;
  }

  /** Call once after the last chunk. Throws MalformedJsonError when the outermost value is not complete. */
  end(): readonly ScanToken[] {
    this.#tokens = [];
    if (this.#whole?.text.mayEndHere) this.#endWhole(this.#whole);
    if (!this.isComplete) {
      const isCut = this.#frames.length > 0 || this.#isInText || this.#whole !== undefined;
      throw new MalformedJsonError('the JSON text ends too early', { isCut });
    }
    return this.#tokens;
  }

  #readStructure(chunk: Buffer, at: number): number {
    const byte = chunk[at] as number;
    if (this.isComplete) return this.#skipRest(chunk, at);
    if (byte === byteOrderMark[this.#markBytes]) {
      this.#markBytes += 1;
      return at + 1;
    }
    this.#markBytes = byteOrderMark.length;
    if (isBlank(byte)) return at + 1;
    const frame = this.#frames.at(-1);
    if (frame !== undefined && this.#mayClose && byte === frame.close) {
      this.#frames.pop();
      this.#tokens.push({ type: 'close', path: frame.path });
      this.#endValue();
      return at + 1;
    }
    if (this.#expects === 'value') return this.#beginValue(byte, at, frame);
    this.#mayClose = false;
    if (this.#expects === 'key') {
      if (byte !== quote) throw unexpected(byte);
      this.#whole = { role: 'key', path: [], text: new WholeValue(maxKey) };
      return at;
    }
    if (byte !== (this.#expects === 'colon' ? colon : comma)) throw unexpected(byte);
    if (typeof frame?.key === 'number') frame.key += 1;
    this.#expects = this.#expects === 'colon' || frame?.close === closeArray ? 'value' : 'key';
    return at + 1;
  }

  #skipRest(chunk: Buffer, at: number): number {
    const extra = this.#isStrict ? chunk.subarray(at).find((byte) => !isBlank(byte)) : undefined;
    if (extra !== undefined) throw unexpected(extra);
    return chunk.length;
  }

  #beginValue(byte: number, at: number, frame: Frame | undefined): number {
    const asked = frame === undefined ? this.#shape : frame.next;
    const shape = typeof asked === 'object' && 'either' in asked ? shapeBegunBy(byte, asked.either) : asked;
    const path = shape === undefined || frame === undefined ? [] : [...frame.path, frame.key];
    if ((shape === 'stream' || shape === 'stream-ascii') && byte === quote) {
      this.#tokens.push({ type: 'text', path });
      this.#characters = shape === 'stream' ? base64Characters : asciiCharacters;
      this.#isInText = true;
      return at + 1;
    }
    if (typeof shape === 'object' && byte === ('items' in shape ? openArray : openObject)) {
      this.#frames.push(
        'items' in shape
          ? { shape, path, close: closeArray, key: 0, next: shape.items }
          : { shape, path, close: closeObject, key: '', next: undefined },
      );
      this.#expects = 'items' in shape ? 'value' : 'key';
      this.#mayClose = true;
      return at + 1;
    }
    if (byte === comma || byte === colon || byte === closeArray || byte === closeObject) throw unexpected(byte);
    // A value of another form than its shape (null where a text is expected) is kept, for the reader to judge.
    this.#whole =
      shape === undefined
        ? { role: 'skipped', path, text: new WholeValue(0) }
        : { role: 'kept', path, text: new WholeValue(this.#keptBytes) };
    return at;
  }

  #endWhole({ role, path, text }: Whole): void {
    this.#whole = undefined;
    if (role === 'key') {
      const frame = this.#frames.at(-1) as Frame;
      const { members, others } = frame.shape as ObjectShape;
      frame.key = text.isTooLarge ? '' : String(text.parse());
      frame.next = Object.hasOwn(members, frame.key) ? members[frame.key] : others;
      this.#expects = 'colon';
      return;
    }
    if (role === 'kept') {
      this.#tokens.push(text.isTooLarge ? { type: 'dropped', path } : { type: 'value', path, value: text.parse() });
    }
    this.#endValue();
  }

  #endValue(): void {
    this.#isInText = false;
    this.#expects = 'comma';
    this.#mayClose = true;
    this.isComplete = this.#frames.length === 0;
  }

  #readText(chunk: Buffer, from: number): number {
    const at = this.#cutEscape.length > 0 ? this.#completeEscape(chunk, from) : from;
    const end = chunk.indexOf(quote, at);
    let text = chunk.subarray(at, end === -1 ? chunk.length : end);
    // Raw line breaks are not JSON; in an event stream they would end the line that the image is written to.
    if (text.includes(0x0a) || text.includes(0x0d)) throw new UnusableTextError();
    const firstEscape = text.indexOf(backslash);
    if (firstEscape !== -1) {
      const { plain, rest } = unescapeText(text, firstEscape, this.#characters);
      text = plain;
      this.#cutEscape = Buffer.from(rest);
    }
    if (text.length > 0) this.#tokens.push({ type: 'piece', bytes: text });
    if (end === -1) return chunk.length;
    if (this.#cutEscape.length > 0) throw new UnusableTextError();
    this.#tokens.push({ type: 'text-end' });
    this.#endValue();
    return end + 1;
  }

  /** Feeds bytes to an escape that the last chunk cut, until it is complete or the chunk ends. */
  #completeEscape(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at += 1) {
      const joined = Buffer.concat([this.#cutEscape, chunk.subarray(at, at + 1)]);
      const { plain, rest } = unescapeText(joined, 0, this.#characters);
      this.#cutEscape = rest;
      if (rest.length > 0) continue;
      if (plain.length > 0) this.#tokens.push({ type: 'piece', bytes: plain });
      return at + 1;
    }
    return chunk.length;
  }
}

function shapeBegunBy(byte: number, shapes: readonly SingleShape[]): SingleShape {
  const isBegun = (shape: SingleShape) => {
    if (typeof shape === 'string') return shape !== 'keep' && byte === quote;
    return byte === ('items' in shape ? openArray : openObject);
  };
  return shapes.find(isBegun) ?? 'keep';
}

function unexpected(byte: number): MalformedJsonError {
  return new MalformedJsonError(`byte 0x${byte.toString(16)} is not JSON here`);
}
