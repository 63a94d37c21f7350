import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { ByteRange, ImageStore } from '../../src/domain/image-store.ts';
import { createDiskImageStore, type DiskImageStoreOptions } from '../../src/storage/disk-image-store.ts';

/** A directory that goes with the test. */
export async function storeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'image-store-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A store that is closed with the test, in a directory of its own unless one is given. */
export async function openStore(
  options: Partial<DiskImageStoreOptions> = {},
): Promise<ImageStore & { readonly directory: string }> {
  const directory = options.directory ?? (await storeDirectory());
  const store = await createDiskImageStore({ ...options, directory });
  onTestFinished(() => store.close());
  return { ...store, directory };
}

/** `length` bytes that begin as a PNG does. */
export function png(length = 100, fill = 7): Buffer {
  const made = Buffer.alloc(length, fill);
  Buffer.from('\x89PNG\r\n\x1a\n', 'latin1').copy(made);
  return made;
}

export async function* chunks(...parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}

/** The bytes behind an id, or `undefined`. */
export async function readBack(store: ImageStore, id: string, range?: ByteRange): Promise<Buffer | undefined> {
  const image = await store.open(id);
  return image && (await buffer(image.read(range)));
}

/** The names of all files below the store's directory. */
export async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
}
