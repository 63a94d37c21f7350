import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { noteBuffer } from '../codec/collect-buffers.ts';
import { overloaded } from '../concurrency/semaphore.ts';
import { type Reservation, SharedBudget } from '../concurrency/shared-budget.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { InputSpool, OpenSpool, SpooledFile } from '../domain/input-spool.ts';
import { prepareDirectory } from './prepare-directory.ts';
import { onDisk } from './storage-failure.ts';

/** So much of one request's files stays in memory; more of it goes to a temporary file. */
const memoryBytes = 1024 * 1024;

/** All temporary files together may have so much of the disk, and those of one consumer half of it. */
const maxDiskBytes = 5_000_000_000;

const firstBytes = 16 * 1024;
const readBytes = 64 * 1024;

const temporaryName = /^azure-image-gateway-upload-[\w-]{24}$/;

/**
 * Spools with temporary files in a directory. A file loses its name as soon as it is open, so the system removes it with
 * the process, however that ends.
 */
export function createInputSpools(directory: string, diskBytes = maxDiskBytes): OpenSpool {
  const disk = new SharedBudget(diskBytes);
  return (consumer) => new DiskInputSpool(directory, disk.open(consumer));
}

/**
 * Creates the directory, for this user only, where it does not exist, and removes what a crash has left of files that had
 * not lost their names yet. Rejects with the disk's error.
 */
export async function prepareSpoolDirectory(directory: string): Promise<void> {
  await prepareDirectory(directory);
  for (const name of await readdir(directory)) {
    if (temporaryName.test(name)) await unlink(join(directory, name)).catch(() => {});
  }
}

/** The files of a request stand one behind the other, in memory or in one temporary file. */
class DiskInputSpool implements InputSpool {
  readonly #directory: string;
  readonly #disk: Reservation;
  /** Has room for more than `#length` bytes: chunks may be tiny, and an object for each of them would be far larger. */
  #memory: Buffer = Buffer.alloc(0);
  #file: FileHandle | undefined;
  #length = 0;
  #isReleased = false;
  /** Calls of the file system that have not returned. */
  readonly #running = new Set<Promise<unknown>>();

  constructor(directory: string, disk: Reservation) {
    this.#directory = directory;
    this.#disk = disk;
  }

  async put(bytes: AsyncIterable<Buffer>): Promise<SpooledFile> {
    const start = this.#length;
    const hash = createHash('sha256');
    for await (const chunk of bytes) {
      hash.update(chunk);
      if (!this.#isReleased && !this.#hasRoomFor(chunk)) throw overloaded();
      await onDisk(this.#append(chunk), uploadFailure);
    }
    const length = this.#length - start;
    const read = (position: number, most: number) =>
      this.#read(start + position, Math.max(0, Math.min(most, length - position)));
    return { bytes: length, sha256: hash.digest('hex'), read, open: () => wholeFile(length, read) };
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    this.#memory = Buffer.alloc(0);
    // The number of a closed file may belong to another one at once, and a call that still runs would reach that.
    await Promise.allSettled(this.#running);
    await this.#file?.close().catch(() => {});
    this.#disk.release();
  }

  /** Reserves the disk for a chunk, and for all before it when that is the first one there. */
  #hasRoomFor(chunk: Buffer): boolean {
    const length = this.#length + chunk.length;
    return length <= memoryBytes || this.#disk.grow(length - this.#disk.amount);
  }

  async #append(chunk: Buffer): Promise<void> {
    if (this.#file === undefined && this.#length + chunk.length > memoryBytes) await this.#moveToDisk();
    this.#checkReleased();
    // A copy, because chunks are parts of larger buffers, and some are used again by whoever gave them.
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
    if (this.#isReleased) await file.close();
    this.#checkReleased();
    this.#file = file;
    await this.#finished(writeAll(file, this.#memory.subarray(0, this.#length)));
    this.#memory = Buffer.alloc(0);
  }

  async #read(position: number, length: number): Promise<Buffer> {
    this.#checkReleased();
    if (this.#file === undefined) return this.#memory.subarray(position, position + length);
    const { bytesRead, buffer } = await this.#finished(
      this.#file.read(Buffer.allocUnsafeSlow(length), 0, length, position),
    );
    return buffer.subarray(0, bytesRead);
  }

  #checkReleased(): void {
    if (this.#isReleased) throw new Error('the upload was released already');
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

async function* wholeFile(
  length: number,
  read: (position: number, most: number) => Promise<Buffer>,
): AsyncGenerator<Buffer> {
  for (let position = 0; position < length; ) {
    const chunk = await read(position, readBytes);
    if (chunk.length === 0) throw new Error('an uploaded file has become shorter');
    position += chunk.length;
    noteBuffer(chunk.length);
    yield chunk;
  }
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
