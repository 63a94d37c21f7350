/** A part of an event stream; the data of an event comes in pieces, as it arrives. */
export type SsePart =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'data'; readonly bytes: Buffer }
  /** The event is complete. */
  | { readonly type: 'dispatch' };

/** The data of an event is longer than `maxEvent`. */
export class OversizedEventError extends Error {
  override readonly name = 'OversizedEventError';
}

/** In bytes. The largest images have tens of megabytes of base64. */
export const maxEvent = 64 * 1024 * 1024;

/** Known field and event names are shorter; the end of longer ones is not kept. */
const maxName = 256;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const colon = 0x3a;
const space = 0x20;
const byteOrderMark = [0xef, 0xbb, 0xbf];

/**
 * Splits an event stream (WHATWG HTML, 9.2) into its parts, from chunks that may be cut anywhere, without holding data
 * back. Comments and fields other than `event` and `data` are skipped.
 */
export class SseReader {
  #parts: SsePart[] = [];
  #mode: 'start' | 'field' | 'data' | 'event' | 'skip' = 'start';
  #text: number[] = [];
  #isFirstByteOfValue = false;
  #afterCarriageReturn = false;
  #dataLines = 0;
  #eventLength = 0;
  #hasName = false;
  /** How many bytes of a byte order mark have been seen at the very beginning; its length once anything else came. */
  #markBytes = 0;

  /** Throws OversizedEventError. */
  push(chunk: Buffer): readonly SsePart[] {
    this.#parts = [];
    let at = 0;
    while (at < chunk.length) at = this.#read(chunk, at);
    return this.#parts;
  }

  /** Call once after the last chunk: an event without the empty line behind it is given, too, for its reader to judge. */
  end(): readonly SsePart[] {
    this.#parts = [];
    this.#dispatch();
    return this.#parts;
  }

  #read(chunk: Buffer, at: number): number {
    const byte = chunk[at] as number;
    if (byte === byteOrderMark[this.#markBytes]) {
      this.#markBytes += 1;
      return at + 1;
    }
    this.#markBytes = byteOrderMark.length;
    if (this.#afterCarriageReturn) {
      this.#afterCarriageReturn = false;
      if (byte === lineFeed) return at + 1;
    }
    if (this.#isFirstByteOfValue) {
      this.#isFirstByteOfValue = false;
      if (byte === space) return at + 1;
    }
    if (byte === lineFeed || byte === carriageReturn) return this.#endLine(byte, at);
    if (this.#mode === 'start') this.#mode = 'field';
    if (this.#mode === 'data' || this.#mode === 'skip') return this.#readToEndOfLine(chunk, at);
    if (this.#mode === 'field' && byte === colon) this.#beginValue();
    else if (this.#text.length < maxName) this.#text.push(byte);
    return at + 1;
  }

  #beginValue(): void {
    const field = this.#takeText();
    this.#mode = field === 'data' || field === 'event' ? field : 'skip';
    this.#isFirstByteOfValue = true;
    if (field === 'data') this.#beginData();
  }

  /** The lines of one event's data are joined by line feeds. */
  #beginData(): void {
    if (this.#dataLines > 0) this.#parts.push({ type: 'data', bytes: Buffer.from('\n') });
    this.#dataLines += 1;
  }

  #readToEndOfLine(chunk: Buffer, at: number): number {
    const end = endOfLine(chunk, at);
    if (this.#mode === 'data') {
      this.#eventLength += end - at;
      if (this.#eventLength > maxEvent) throw new OversizedEventError('an event is too long');
      this.#parts.push({ type: 'data', bytes: chunk.subarray(at, end) });
    }
    return end;
  }

  #endLine(byte: number, at: number): number {
    this.#afterCarriageReturn = byte === carriageReturn;
    if (this.#mode === 'start') this.#dispatch();
    else if (this.#mode === 'event') this.#pushName(this.#takeText());
    else if (this.#mode === 'field') this.#endField(this.#takeText());
    this.#mode = 'start';
    return at + 1;
  }

  /** A field without a colon has an empty value. */
  #endField(field: string): void {
    if (field === 'data') this.#beginData();
    if (field === 'event') this.#pushName('');
  }

  #dispatch(): void {
    if (this.#dataLines > 0) this.#parts.push({ type: 'dispatch' });
    // A name without data is forgotten.
    else if (this.#hasName) this.#pushName('');
    this.#hasName = false;
    this.#dataLines = 0;
    this.#eventLength = 0;
  }

  #pushName(name: string): void {
    this.#parts.push({ type: 'name', name });
    this.#hasName = true;
  }

  #takeText(): string {
    const text = Buffer.from(this.#text).toString();
    this.#text = [];
    return text;
  }
}

function endOfLine(chunk: Buffer, from: number): number {
  const line = chunk.indexOf(lineFeed, from);
  const end = line === -1 ? chunk.length : line;
  const carriage = chunk.subarray(from, end).indexOf(carriageReturn);
  return carriage === -1 ? end : from + carriage;
}
