import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { ArrivingImage, ByteRange, ImageStore, StoredImage } from '../../src/domain/image-store.ts';
import {
  createDiskImageStore,
  type DiskImageStore,
  type DiskImageStoreOptions,
} from '../../src/storage/disk-image-store.ts';

/** A directory that goes with the test. */
export async function storeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'image-store-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A store that is closed with the test, in a directory of its own unless one is given. */
export async function openStore(
  options: Partial<DiskImageStoreOptions> = {},
): Promise<DiskImageStore & { readonly directory: string }> {
  const directory = options.directory ?? (await storeDirectory());
  const store = await createDiskImageStore({ ...options, directory });
  onTestFinished(() => store.close());
  return Object.assign(store, { directory });
}

export function newId(): string {
  return randomBytes(18).toString('base64url');
}

/** Begins an image that is closed with the test. */
export function receive(store: ImageStore, id = newId(), isKept = true): ArrivingImage {
  const arriving = store.receive(id, { isKept });
  onTestFinished(() => arriving.close());
  return arriving;
}

export type Putting = { readonly id?: string; readonly isKept?: boolean };

/** Stores an image, which is hosted unless it is said to be kept. */
export async function put(
  store: ImageStore,
  parts: Buffer | readonly Buffer[] = png(),
  { id = newId(), isKept = false }: Putting = {},
): Promise<StoredImage> {
  const arriving = store.receive(id, { isKept });
  try {
    for (const part of Buffer.isBuffer(parts) ? [parts] : parts) await arriving.write(part);
    return await arriving.commit();
  } finally {
    await arriving.close();
  }
}

/** `length` bytes that begin as a PNG does. */
export function png(length = 100, fill = 7): Buffer {
  const made = Buffer.alloc(length, fill);
  Buffer.from('\x89PNG\r\n\x1a\n', 'latin1').copy(made);
  return made;
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
