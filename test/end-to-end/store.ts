import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ImageStore } from '../../src/domain/image-store.ts';
import { createDiskImageStore, type DiskImageStoreOptions } from '../../src/storage/disk-image-store.ts';

export type TestStore = { readonly store: ImageStore; readonly directory: string };

/** An image store in a directory of its own, which is removed when the test ends. */
export async function startStore(options: Omit<DiskImageStoreOptions, 'directory'> = {}): Promise<TestStore> {
  const directory = await mkdtemp(join(tmpdir(), 'images-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const store = await createDiskImageStore({ directory, ...options });
  onTestFinished(() => store.close());
  return { store, directory };
}
