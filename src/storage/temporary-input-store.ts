import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { noteBuffer } from '../codec/collect-buffers.ts';
import { overloaded } from '../concurrency/semaphore.ts';
import { type Reservation, SharedBudget } from '../concurrency/shared-budget.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { InputStore, OpenInputStore, StoredBytes } from '../domain/image-input.ts';
import { prepareDirectory } from './data-directory.ts';
import { onDisk } from './storage-failure.ts';

/** Inputs of one request up to this size stay in memory; larger ones go to a temporary file. */
const memoryBytes = 1024 * 1024;

/** The most disk that all temporary files may use together; those of one consumer may use half of it. */
const maxDiskBytes = 5_000_000_000;

const firstBytes = 16 * 1024;
const readBytes = 64 * 1024;

const temporaryName = /^azure-image-gateway-upload-[\w-]{24}$/;

/**
 * Input stores that end with the process, in memory and in temporary files of a directory. A file is unlinked as soon as it
 * is open, so the system removes it however the process ends.
 */
export function createTemporaryInputStores(directory: string, diskBytes = maxDiskBytes): OpenInputStore {
  const disk = new SharedBudget(diskBytes);
  return (consumer) => new TemporaryInputStore(directory, disk.open(consumer));
}

/**
 * Creates the directory, for this user only, where it does not exist, and removes files that a crash left between their
 * creation and their unlinking. Rejects with the disk's error.
 */
export async function prepareInputDirectory(directory: string): Promise<void> {
  await prepareDirectory(directory);
  for (const name of await readdir(directory)) {
    if (temporaryName.test(name)) await unlink(join(directory, name)).catch(() => {});
  }
}

/** The inputs of a request are stored one after the other, in memory or in one temporary file. */
class TemporaryInputStore implements InputStore {
  readonly #directory: string;
  readonly #disk: Reservation;
  /** One buffer, larger than needed: chunks may be tiny, and an object for each would take far more memory. */
  #memory: Buffer = Buffer.alloc(0);
  #file: FileHandle | undefined;
  #length = 0;
  /** Where each input begins, by its SHA-256: of equal ones either may be read. */
  readonly #starts = new Map<string, number>();
  #isReleased = false;
  /** Pending calls of the file system. */
  readonly #running = new Set<Promise<unknown>>();

  constructor(directory: string, disk: Reservation) {
    this.#directory = directory;
    this.#disk = disk;
  }

  async put(bytes: AsyncIterable<Buffer>): Promise<StoredBytes> {
    const start = this.#length;
    const hash = createHash('sha256');
    for await (const chunk of bytes) {
      hash.update(chunk);
      if (!this.#isReleased && !this.#hasRoomFor(chunk)) throw overloaded();
      await onDisk(this.#append(chunk), uploadFailure);
    }
    const sha256 = hash.digest('hex');
    this.#starts.set(sha256, start);
    return { sha256, size: this.#length - start };
  }

  async *open(input: StoredBytes): AsyncGenerator<Buffer> {
    for (let position = 0; position < input.size; ) {
      const chunk = await this.read(input, position, readBytes);
      if (chunk.length === 0) throw new Error('an input has become shorter');
      position += chunk.length;
      noteBuffer(chunk.length);
      yield chunk;
    }
  }

  async read({ sha256, size }: StoredBytes, position: number, max: number): Promise<Buffer> {
    if (this.#isReleased) throw released();
    const start = this.#starts.get(sha256);
    if (start === undefined) throw new Error('the store has no such input');
    return this.#readAt(start + position, Math.max(0, Math.min(max, size - position)));
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    this.#memory = Buffer.alloc(0);
    // A descriptor may be reused as soon as it is closed, and a pending call would read or write the other file.
    await Promise.allSettled(this.#running);
    await this.#file?.close().catch(() => {});
    this.#disk.release();
  }

  /** Reserves disk for a chunk; for the first one on disk, also for all that moves there with it. */
  #hasRoomFor(chunk: Buffer): boolean {
    const length = this.#length + chunk.length;
    return length <= memoryBytes || this.#disk.grow(length - this.#disk.amount);
  }

  async #append(chunk: Buffer): Promise<void> {
    if (this.#file === undefined && this.#length + chunk.length > memoryBytes) await this.#moveToDisk();
    if (this.#isReleased) throw released();
    // Copied: chunks are parts of larger buffers, and some are reused by their producer.
    if (this.#file === undefined) this.#keep(chunk);
    else await this.#finished(writeAll(this.#file, chunk));
    this.#length += chunk.length;
  }

  #keep(chunk: Buffer): void {
    const end = this.#length + chunk.length;
    if (end > this.#memory.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(memoryBytes, Math.max(2 * end, firstBytes)));
      this.#memory.copy(larger, 0, 0, this.#length);
      this.#memory = larger;
    }
    chunk.copy(this.#memory, this.#length);
  }

  async #moveToDisk(): Promise<void> {
    const file = await openNameless(this.#directory);
    // The request may have ended while the file was opened.
    if (this.#isReleased) {
      await file.close();
      throw released();
    }
    this.#file = file;
    await this.#finished(writeAll(file, this.#memory.subarray(0, this.#length)));
    this.#memory = Buffer.alloc(0);
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    if (this.#file === undefined) return this.#memory.subarray(position, position + length);
    const { bytesRead, buffer } = await this.#finished(
      this.#file.read(Buffer.allocUnsafeSlow(length), 0, length, position),
    );
    return buffer.subarray(0, bytesRead);
  }

  async #finished<T>(call: Promise<T>): Promise<T> {
    this.#running.add(call);
    try {
      return await call;
    } finally {
      this.#running.delete(call);
    }
  }
}

function released(): Error {
  return new Error('the inputs were released already');
}

async function openNameless(directory: string): Promise<FileHandle> {
  const path = join(directory, `azure-image-gateway-upload-${randomBytes(18).toString('base64url')}`);
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
  } catch (error) {
    // Another gateway that starts in the same directory may have swept it away.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return file;
    await file.close();
    throw error;
  }
  return file;
}

/** `write` may take a part only. */
async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

/** Nothing is paid for yet. */
function uploadFailure(cause: unknown): GatewayError {
  return new GatewayError('storage_failed', 'An uploaded file could not be stored by the gateway.', { cause });
}
