import { lstat, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createDiskImageStore, type DiskImageStore, type DiskImageStoreOptions } from './disk-image-store.ts';

const prefix = 'azure-image-gateway-images-';
const namePattern = new RegExp(`^${prefix}\\w{6}$`);

/** Stores that are in use are marked far more often. */
const abandonedMs = 24 * 60 * 60_000;
const markEveryMs = 60 * 60_000;

/**
 * An image store that ends with the process, in a directory of its own, which `close` removes. What killed processes have left
 * in `parentDirectory` is removed after a day. Rejects with the disk's error.
 */
export async function createTemporaryImageStore(
  parentDirectory: string,
  options: Omit<DiskImageStoreOptions, 'directory' | 'soleAt'> = {},
): Promise<DiskImageStore> {
  const sweep = sweepOnce(parentDirectory);
  const directory = await mkdtemp(join(parentDirectory, prefix));
  const store = await createDiskImageStore({ ...options, directory });
  const timer = setInterval(() => void mark(directory), markEveryMs).unref();
  const close = store.close.bind(store);
  store.close = async () => {
    clearInterval(timer);
    await Promise.all([close(), sweep]);
    await rm(directory, { recursive: true, force: true });
  };
  return store;
}

/** Shows that the directory is in use: images that come and go change only the directories in it. */
async function mark(directory: string): Promise<void> {
  const now = new Date();
  await utimes(directory, now, now).catch(() => {});
}

/** By the directory that they sweep. */
const sweeps = new Map<string, Promise<void>>();

/** A start does not wait for it: processes that are killed often leave many directories. One process sweeps each once. */
function sweepOnce(parentDirectory: string): Promise<void> {
  // Who cannot list it learns that elsewhere: what is left there does no harm.
  const sweep = sweeps.get(parentDirectory) ?? removeAbandoned(parentDirectory).catch(() => {});
  sweeps.set(parentDirectory, sweep);
  return sweep;
}

async function removeAbandoned(parentDirectory: string): Promise<void> {
  for (const name of await readdir(parentDirectory)) {
    if (!namePattern.test(name)) continue;
    const path = join(parentDirectory, name);
    // The system's temporary directory is shared: a directory of another user is not ours to remove.
    const stats = await lstat(path).catch(() => undefined);
    if (stats === undefined || !stats.isDirectory() || stats.uid !== process.getuid?.()) continue;
    if (Date.now() - stats.mtimeMs > abandonedMs) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}
