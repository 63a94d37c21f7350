import { access, constants, mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Creates what is missing of a directory, for this user only, and checks that it can be written to. Rejects with the
 * disk's error.
 */
export async function prepareDirectory(path: string): Promise<void> {
  const directory = resolve(path);
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  await access(directory, constants.W_OK | constants.X_OK);
  if (first === undefined) return;
  // A new directory is safe from power loss when the one that lists it is synced.
  for (let at = dirname(directory); at.length >= dirname(first).length; at = dirname(at)) await syncDirectory(at);
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
