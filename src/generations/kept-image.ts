import { Base64Decoder } from '../codec/base64.ts';
import type { ImageSource } from '../domain/image-event.ts';
import type { ArrivingImage, StoredImage } from '../domain/image-store.ts';
import type { Retrying } from '../domain/retrying.ts';
import { Change } from './change.ts';
import { notStored } from './delivery.ts';
import { giveBuffer, noBuffer, takeBuffer } from './write-buffers.ts';

type KeptImageParts = {
  readonly file: ArrivingImage;
  /** How many bytes to collect for one write. */
  readonly writeBytes: () => number;
  /** Whether it is worth nothing unless it is stored: then a failing disk is its failure. Otherwise it is only not kept. */
  readonly mustBeStored: Retrying | undefined;
  /** The readers that have to get it; they may not have begun yet. */
  readonly readers: () => readonly object[];
};

/** So much of the text is held for readers that keep up: more would only become garbage that is costly to collect. */
const liveLength = 256 * 1024;

/** So much may wait for the readers where the disk has failed. */
const maxTailLength = 1024 * 1024;

/** So much of the text is decoded at once. */
const pieceLength = 64 * 1024;

/** 48 KiB of a file are 64 KiB of text. */
const readLength = 48 * 1024;

/**
 * One image on its way into the store, as base64 text. It is written at the speed of its upstream, whoever reads it: a reader
 * that keeps up gets the pieces as they come, and one that falls behind reads what is decoded, in memory or in the file. Only
 * where the disk fails do the readers hold it up, because there is nothing else to read then.
 */
export class KeptImage implements ImageSource {
  readonly #parts: KeptImageParts;
  readonly #decoder = new Base64Decoder();
  readonly #change = new Change();
  /** How much of the text each reader has; Infinity once it needs no more. */
  readonly #positions = new Map<object, number>();
  /** The last pieces of the text, of which the first begins at `tailStart`. */
  readonly #tail: Buffer[] = [];
  #tailStart = 0;
  #textLength = 0;
  /** Its first `used` bytes are decoded, and not written yet. */
  #buffer: Buffer = noBuffer;
  #used = 0;
  /** How many bytes are in the file. */
  #written = 0;
  #isComplete = false;
  #hasDiskFailed = false;
  #error: unknown;

  constructor(parts: KeptImageParts) {
    this.#parts = parts;
  }

  /**
   * Takes the next piece of the text, which must not change afterwards. What it returns, if anything, is awaited before the next
   * call; it rejects where the image must be stored and cannot be.
   */
  write(chunk: Buffer): Promise<void> | undefined {
    this.#tail.push(chunk);
    this.#textLength += chunk.length;
    if (!this.#hasDiskFailed) this.#trimTail(this.#textLength - liveLength);
    this.#change.happened();
    return this.#hasDiskFailed ? this.#waitForReaders() : this.#decode(chunk);
  }

  /** All of it has come. Resolves once it is durable; with `undefined` when it could not be stored. */
  async end(): Promise<StoredImage | undefined> {
    const { file, mustBeStored } = this.#parts;
    await this.#flush();
    const stored = this.#hasDiskFailed ? undefined : await this.#onDisk(file.commit(mustBeStored));
    if (this.#hasDiskFailed) await file.discard();
    this.#complete();
    return stored;
  }

  /** All of a partial image has come: it need not outlive its readers. */
  async drop(): Promise<void> {
    await this.#flush();
    await this.#parts.file.discard();
    this.#complete();
  }

  /** Its upstream has broken off. */
  async fail(error: unknown): Promise<void> {
    this.#error = error;
    this.#change.happened();
    await this.#parts.file.discard();
  }

  /** A reader has left, or its response has ended. */
  readersChanged(): void {
    this.#change.happened();
  }

  /** Nobody will read it any more. */
  async close(): Promise<void> {
    await this.#parts.file.close();
    this.#giveBuffer();
  }

  read(reader: object = {}): AsyncIterableIterator<Buffer> {
    let at = 0;
    const moveTo = (position: number) => {
      at = position;
      this.#positions.set(reader, at);
      if (this.#hasDiskFailed) this.#change.happened();
    };
    moveTo(0);
    // Whoever is done, or has failed, waits for nothing more.
    const end = (): IteratorResult<Buffer> => {
      moveTo(Number.POSITIVE_INFINITY);
      return { value: undefined, done: true };
    };
    const wait = async (): Promise<IteratorResult<Buffer>> => {
      try {
        const chunk = await this.#next(at);
        if (chunk === undefined) return end();
        moveTo(at + chunk.length);
        return { value: chunk, done: false };
      } catch (error) {
        end();
        throw error;
      }
    };
    return {
      next: () => {
        const chunk = this.#fromTail(at);
        if (chunk === undefined) return wait();
        moveTo(at + chunk.length);
        return Promise.resolve({ value: chunk, done: false });
      },
      return: async () => end(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Nothing is awaited between a look at what is there and the wait for more: a change in between would be missed. */
  async #next(at: number): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.#fromTail(at) ?? this.#fromBuffer(at);
      if (chunk !== undefined) return chunk;
      if (positionAt(at) < this.#written) return this.#fromFile(at);
      if (this.#error !== undefined) throw this.#error;
      if (this.#isComplete && at >= this.#textLength) return undefined;
      if (at < this.#tailStart && (this.#isComplete || this.#hasDiskFailed)) throw notStored();
      await this.#change.next();
    }
  }

  #fromTail(at: number): Buffer | undefined {
    // From the end, where a reader that keeps up is, however small the pieces are.
    for (let index = this.#tail.length - 1, end = this.#textLength; index >= 0 && at < end; index -= 1) {
      const chunk = this.#tail[index] as Buffer;
      const start = end - chunk.length;
      if (at >= start) return at === start ? chunk : chunk.subarray(at - start);
      end = start;
    }
    return undefined;
  }

  #fromBuffer(at: number): Buffer | undefined {
    const from = positionAt(at) - this.#written;
    const length = Math.min(readLength, this.#used - from);
    return from < 0 ? undefined : textOf(this.#buffer.subarray(from, from + length), at);
  }

  async #fromFile(at: number): Promise<Buffer> {
    const position = positionAt(at);
    const bytes = await this.#parts.file.read(position, Math.min(readLength, this.#written - position));
    const text = textOf(bytes, at);
    if (text === undefined) throw notStored();
    return text;
  }

  /** Without a promise where there is room, which is nearly always. */
  #decode(chunk: Buffer, from = 0): Promise<void> | undefined {
    for (let at = from; at < chunk.length; at += pieceLength) {
      const piece = chunk.subarray(at, at + pieceLength);
      if (this.#buffer.length === 0) this.#buffer = takeBuffer(this.#parts.writeBytes());
      if (this.#used + Base64Decoder.maxBytes(piece.length) > this.#buffer.length)
        return this.#decodeAfterFlush(chunk, at);
      this.#used = this.#decoder.decode(piece, this.#buffer, this.#used);
    }
    this.#trimDecoded();
    return undefined;
  }

  async #decodeAfterFlush(chunk: Buffer, at: number): Promise<void> {
    await this.#flush();
    await (this.#hasDiskFailed ? this.#waitForReaders() : this.#decode(chunk, at));
  }

  async #flush(): Promise<void> {
    const { file, mustBeStored } = this.#parts;
    if (this.#used === 0 || this.#hasDiskFailed) return;
    await this.#onDisk(file.write(this.#buffer.subarray(0, this.#used), mustBeStored));
    if (this.#hasDiskFailed) return;
    this.#written += this.#used;
    this.#used = 0;
  }

  async #onDisk<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (this.#parts.mustBeStored !== undefined) throw error;
      this.#hasDiskFailed = true;
      return undefined;
    }
  }

  /**
   * Of the text that is decoded only what a reader is about to take stays in memory: with links there is no such reader, and
   * many images at once would hold megabytes for nobody.
   */
  #trimDecoded(): void {
    const reached = this.#parts.readers().map((reader) => this.#positions.get(reader) ?? 0);
    this.#trimTail(Math.min(this.#decodedLength, ...reached, ...this.#positions.values()));
  }

  /** How much of the text is in the file or the buffer. */
  get #decodedLength(): number {
    return ((this.#written + this.#used) / 3) * 4;
  }

  /** Nobody needs what stands before a position of the text, or it is decoded. */
  #trimTail(before: number): void {
    for (let first = this.#tail[0]; first !== undefined; first = this.#tail[0]) {
      if (this.#tailStart + first.length > before) return;
      this.#tailStart += first.length;
      this.#tail.shift();
    }
  }

  async #waitForReaders(): Promise<void> {
    const decoded = this.#decodedLength;
    for (;;) {
      const positions = this.#parts.readers().map((reader) => this.#positions.get(reader) ?? 0);
      // Whoever came too late has lost its beginning, and is not waited for.
      const needed = positions.filter((at) => at >= this.#tailStart || this.#tailStart <= decoded);
      this.#trimTail(Math.min(...needed, Number.POSITIVE_INFINITY));
      if (this.#textLength - this.#tailStart <= maxTailLength) return;
      await this.#change.next();
    }
  }

  #complete(): void {
    this.#isComplete = true;
    if (!this.#hasDiskFailed) this.#giveBuffer();
    this.#change.happened();
  }

  #giveBuffer(): void {
    giveBuffer(this.#buffer);
    this.#buffer = noBuffer;
    this.#used = 0;
  }
}

/** Where the group of base64 that holds a character of the text begins in the file. */
function positionAt(at: number): number {
  return Math.floor(at / 4) * 3;
}

/** The text of bytes from the group on that holds its character `at`; `undefined` where there is nothing of it. */
function textOf(bytes: Buffer, at: number): Buffer | undefined {
  const text = Buffer.from(bytes.toString('base64'), 'latin1').subarray(at % 4);
  return text.length > 0 ? text : undefined;
}
