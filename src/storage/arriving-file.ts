import { type FileHandle, open, unlink } from 'node:fs/promises';
import { imageHeaderBytes, imageMediaType } from '../codec/image-header.ts';
import type { ArrivingImage, StoredImage } from '../domain/image-store.ts';
import type { Retrying } from '../domain/retrying.ts';
import { isHostable } from './image-file-name.ts';
import { onDisk, retryOnDisk, storageFailure, unusableImage } from './storage-failure.ts';

/** What the bytes themselves say. */
export type ReceivedImage = Pick<StoredImage, 'mediaType' | 'length'>;

/** Where an image arrives, and what becomes of it. */
export type Arrival = {
  /** Of a file that does not exist yet. */
  readonly path: string;
  readonly maxBytes: number;
  /** Moves the synced file to its place in the store. */
  commit(received: ReceivedImage, retrying?: Retrying): Promise<StoredImage>;
  /** Called once, when it is committed or discarded. */
  end(): void;
};

/** The file of an image while it arrives. Bytes that are no image never reach the disk. */
export class ArrivingFile implements ArrivingImage {
  readonly #arrival: Arrival;
  #state: 'arriving' | 'committing' | 'ended' = 'arriving';
  /** What has come, until that is enough to tell the media type. */
  #header: Buffer = Buffer.alloc(0);
  #mediaType: string | undefined;
  #file: FileHandle | undefined;
  /** How many bytes are in the file. */
  #flushed = 0;
  #lastWrite: Promise<void> = Promise.resolve();
  /** Why the last write failed. */
  #failure: unknown;
  #committing: Promise<StoredImage> | undefined;
  #closing: Promise<void> | undefined;
  /** Pending calls of the file system. */
  readonly #running = new Set<Promise<unknown>>();

  constructor(arrival: Arrival) {
    this.#arrival = arrival;
  }

  get written(): number {
    return this.#flushed + this.#header.length;
  }

  write(bytes: Buffer, retrying?: Retrying): Promise<void> {
    const write = this.#write(bytes, retrying);
    this.#lastWrite = write.then(
      () => {
        this.#failure = undefined;
      },
      (error: unknown) => {
        this.#failure = error;
      },
    );
    return write;
  }

  async #write(bytes: Buffer, retrying: Retrying | undefined): Promise<void> {
    if (this.#state !== 'arriving') throw ended();
    if (this.written + bytes.length > this.#arrival.maxBytes) throw unusableImage('it is too long');
    const chunk = this.#header.length === 0 ? bytes : Buffer.concat([this.#header, bytes]);
    // Copied: the caller may use its buffer again.
    if (this.#flushed === 0 && chunk.length < imageHeaderBytes) this.#header = Buffer.from(chunk);
    else await this.#flush(chunk, retrying);
  }

  /** Appends a chunk that includes the header, if that is not in the file yet. */
  async #flush(chunk: Buffer, retrying: Retrying | undefined): Promise<void> {
    this.#mediaType ??= hostableType(chunk);
    const file = this.#file ?? (await retryOnDisk(() => this.#step(() => this.#open()), retrying));
    await retryOnDisk(() => this.#step(() => writeAt(file, chunk, this.#flushed)), retrying);
    this.#flushed += chunk.length;
    this.#header = Buffer.alloc(0);
  }

  async #open(): Promise<FileHandle> {
    this.#file = await open(this.#arrival.path, 'wx+', 0o600);
    return this.#file;
  }

  async read(position: number, length: number): Promise<Buffer> {
    if (this.#closing !== undefined) throw storageFailure('an arriving image is read although it is closed');
    const size = Math.max(0, Math.min(length, this.written - position));
    if (this.#file === undefined || this.#flushed === 0) return this.#header.subarray(position, position + size);
    const buffer = Buffer.allocUnsafeSlow(size);
    const { bytesRead } = await onDisk(this.#tracked(this.#file.read(buffer, 0, size, position)));
    // Whoever waits for these bytes would ask for them again and again.
    if (bytesRead === 0 && size > 0) throw storageFailure('an arriving image has become shorter');
    return buffer.subarray(0, bytesRead);
  }

  commit(retrying?: Retrying): Promise<StoredImage> {
    if (this.#committing === undefined) {
      this.#committing = this.#commit(retrying);
      if (this.#state === 'arriving') this.#state = 'committing';
    }
    return this.#committing;
  }

  async #commit(retrying: Retrying | undefined): Promise<StoredImage> {
    await this.#lastWrite;
    try {
      if (this.#state === 'ended') throw ended();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#flushed === 0) await this.#flush(this.#header, retrying);
      await this.#sync();
      const received = { mediaType: this.#mediaType as string, length: this.#flushed };
      const image = await this.#arrival.commit(received, retrying);
      this.#end();
      return image;
    } catch (error) {
      await this.#remove();
      throw error;
    }
  }

  /**
   * Not retried: after a failed sync the next one may succeed although bytes are lost.
   * https://wiki.postgresql.org/wiki/Fsync_Errors
   */
  async #sync(): Promise<void> {
    await onDisk(this.#step(async () => this.#file?.datasync()));
  }

  async discard(): Promise<void> {
    // Once it has begun, a commit alone decides what becomes of the file.
    if (this.#committing === undefined) await this.#remove();
    else await this.#committing.catch(() => {});
  }

  async #remove(): Promise<void> {
    this.#end();
    await Promise.allSettled(this.#running);
    if (this.#file !== undefined) await unlink(this.#arrival.path).catch(() => {});
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#arrival.end();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.discard();
    // A descriptor may be reused as soon as it is closed, and a pending call would read or write the other file.
    await Promise.allSettled(this.#running);
    await this.#file?.close().catch(() => {});
  }

  /** A call that changes the file; none begins once the file is to be removed. */
  async #step<T>(call: () => Promise<T>): Promise<T> {
    if (this.#state === 'ended') throw ended();
    return this.#tracked(call());
  }

  async #tracked<T>(call: Promise<T>): Promise<T> {
    this.#running.add(call);
    try {
      return await call;
    } finally {
      this.#running.delete(call);
    }
  }
}

function ended(): Error {
  return storageFailure('the image was committed or discarded already');
}

/** All of a chunk at its place, so that it can be written again after a failure. */
async function writeAt(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

function hostableType(header: Buffer): string {
  const mediaType = imageMediaType(header);
  if (!isHostable(mediaType)) throw unusableImage('it is not a PNG, JPEG, GIF or WebP image');
  return mediaType;
}
