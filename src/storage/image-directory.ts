import { randomBytes } from 'node:crypto';
import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { shareRuns } from '../concurrency/share-runs.ts';
import type { Retrying } from '../domain/retrying.ts';
import { prepareDirectory, syncDirectory } from './data-directory.ts';
import { type ImageFile, parseImageName } from './image-file-name.ts';
import { onDisk, retryOnDisk } from './storage-failure.ts';

/** Requests end within an hour, so a file that was not written to for an hour has no writer. */
const abandonedMs = 60 * 60_000;

// Earlier versions wrote the id alone.
const arrivingPattern = /^[\w-]{24}(?:\.[\da-f]{8})?$/;

/**
 * The files of the store: `arriving/<id>.<suffix>` while an image arrives, `images/<record>` from the rename that commits it.
 *
 * An image is written to the end and synced before that rename, and the directory is synced after it, so each file in
 * `images` is whole, and no link leads to anything in `arriving`. A crash leaves at most an abandoned file in `arriving`,
 * or a whole image without a link, which expires like any other.
 *
 * Several processes may use the directory. Files whose names are not ours are neither served nor removed: the directory may
 * be the wrong one.
 */
export interface ImageDirectory {
  /**
   * A new name in `arriving`. It is never used again: an image may begin anew while its first writer, which may be another
   * process, has not removed its file yet.
   */
  arrivingName(id: string): string;
  arrivingPath(name: string): string;
  path(file: ImageFile): string;
  /**
   * Makes what was written to `arrivingPath` the image. Rejects with a GatewayError, and the image's own file is gone then;
   * the one in `arriving` may be left.
   */
  commit(arrivingName: string, file: ImageFile, retrying?: Retrying): Promise<void>;
  /** Removes an image. Never rejects: what cannot be removed is found again by the next `list`. */
  remove(file: ImageFile): Promise<void>;
  /** The images by their names alone, in no order; none if the directory is gone. */
  list(): Promise<ImageFile[]>;
  /** Those of the files that are images, oldest first. Removes what has expired, or is not what its name says. */
  inspect(files: readonly ImageFile[], now: number): Promise<ImageFile[]>;
  /** Removes what crashed processes left in `arriving`, but nothing that another process may still write to. */
  removeAbandoned(isOurs: (name: string) => boolean): Promise<void>;
  /** Removes everything in `arriving` that was last written to before this time, in milliseconds since 1970. */
  removeArriving(writtenBefore: number): Promise<void>;
}

/** Creates what is missing of `directory`, for this user only; rejects with the disk's error. */
export async function openImageDirectory(directory: string): Promise<ImageDirectory> {
  const root = resolve(directory);
  const images = join(root, 'images');
  const arriving = join(root, 'arriving');
  await prepareDirectory(images);
  await prepareDirectory(arriving);
  const path = ({ name }: ImageFile) => join(images, name);
  const arrivingPath = (name: string) => join(arriving, name);
  // Images that are committed in the same moment share a sync.
  const syncImages = shareRuns(() => syncDirectory(images), 0, AbortSignal.any([]));

  return {
    arrivingName: (id) => `${id}.${randomBytes(4).toString('hex')}`,
    arrivingPath,
    path,
    async commit(from, file, retrying) {
      try {
        await retryOnDisk(() => rename(arrivingPath(from), path(file)), retrying);
        await onDisk(syncImages());
      } catch (error) {
        await removeQuietly(path(file));
        throw error;
      }
    },
    remove: (file) => removeQuietly(path(file)),
    list: () => listImages(images),
    inspect: (files, now) => inspect(images, files, now),
    async removeAbandoned(isOurs) {
      // Compared with what the file system writes, which follows the wall clock.
      const writtenBefore = Date.now() - abandonedMs;
      await removeOld(arriving, writtenBefore, isOurs);
    },
    removeArriving: (writtenBefore) => removeOld(arriving, writtenBefore, () => false),
  };
}

async function listImages(images: string): Promise<ImageFile[]> {
  try {
    return (await readdir(images)).map(parseImageName).filter((file) => file !== undefined);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function inspect(images: string, files: readonly ImageFile[], now: number): Promise<ImageFile[]> {
  const found: { readonly file: ImageFile; readonly storedAt: number }[] = [];
  for (const file of files) {
    const path = join(images, file.name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats === undefined) continue;
    const isWhole = stats.isFile() && stats.size === file.image.length;
    if (!isWhole || file.image.expiresAt <= now) await removeQuietly(path);
    else found.push({ file, storedAt: stats.mtimeMs });
  }
  return found.sort((one, other) => one.storedAt - other.storedAt).map(({ file }) => file);
}

async function removeOld(arriving: string, writtenBefore: number, isOurs: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(arriving)) {
    if (!arrivingPattern.test(name) || isOurs(name)) continue;
    const path = join(arriving, name);
    const file = await lstat(path).catch(() => undefined);
    if (file?.isFile() && file.mtimeMs < writtenBefore) await removeQuietly(path);
  }
}

/** Removes a file. A failure is ignored: the failure that led here says more. */
async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

/** True for the disk's error when there is no such file, nor its directory. */
export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
