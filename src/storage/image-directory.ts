import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { StoredImage } from '../domain/image-store.ts';
import { imageName, isImageId, parseImageName } from './image-name.ts';
import { prepareDirectory, syncDirectory } from './prepare-directory.ts';

/** No request lives for an hour, so a file that nobody wrote to for so long has no writer. */
const abandonedMs = 60 * 60_000;

/**
 * The files of the store: `arriving/<id>` while an image arrives, `images/<record>` from the rename that commits it.
 *
 * An image is written to the end and synced before that rename, and the directory is synced after it, so each file in
 * `images` is whole, and `arriving` holds nothing that was promised to anybody. A crash therefore leaves at most an
 * abandoned file in `arriving`, or a whole image that nobody was told of, which expires like any other.
 *
 * Files whose names are not ours are neither served nor removed: the directory may have been named by mistake.
 */
export interface ImageDirectory {
  /** Where an image may be written while it arrives. */
  arrivingPath(id: string): string;
  path(image: StoredImage): string;
  /**
   * Makes what was written to `arrivingPath` the image; rejects with the disk's error and leaves neither file then.
   * `retrying` runs what may be repeated.
   */
  commit(image: StoredImage, retrying: (step: () => Promise<void>) => Promise<void>): Promise<void>;
  /** Removes the files of an image, wherever they are. Never rejects: what cannot be removed is met again at the next start. */
  remove(image: StoredImage): Promise<void>;
  removeArriving(id: string): Promise<void>;
  /** All images, oldest first. What has expired or is not what its name says is removed. */
  load(now: number): Promise<StoredImage[]>;
  /** Removes what a process that died left behind; another process that still writes here loses nothing. */
  removeAbandoned(now: number): Promise<void>;
}

/** Creates what is missing of `directory`, for this user only; rejects with the disk's error. */
export async function openImageDirectory(directory: string): Promise<ImageDirectory> {
  const root = resolve(directory);
  const images = join(root, 'images');
  const arriving = join(root, 'arriving');
  await prepareDirectory(images);
  await prepareDirectory(arriving);
  const path = (image: StoredImage) => join(images, imageName(image));
  const arrivingPath = (id: string) => join(arriving, id);

  return {
    arrivingPath,
    path,
    async commit(image, retrying) {
      try {
        await retrying(() => rename(arrivingPath(image.id), path(image)));
        await syncDirectory(images);
      } catch (error) {
        await removeQuietly(path(image));
        throw error;
      }
    },
    remove: (image) => removeQuietly(path(image)),
    removeArriving: (id) => removeQuietly(arrivingPath(id)),
    load: (now) => loadImages(images, now),
    removeAbandoned: (now) => removeAbandoned(arriving, now),
  };
}

async function loadImages(images: string, now: number): Promise<StoredImage[]> {
  const found: { readonly image: StoredImage; readonly storedAt: number }[] = [];
  for (const name of await readdir(images)) {
    const image = parseImageName(name);
    if (image === undefined) continue;
    const path = join(images, name);
    const file = await lstat(path).catch(() => undefined);
    if (file === undefined) continue;
    const isWhole = file.isFile() && file.size === image.length;
    if (!isWhole || image.expiresAt <= now) await removeQuietly(path);
    else found.push({ image, storedAt: file.mtimeMs });
  }
  return found.sort((one, other) => one.storedAt - other.storedAt).map(({ image }) => image);
}

async function removeAbandoned(arriving: string, now: number): Promise<void> {
  for (const name of await readdir(arriving)) {
    if (!isImageId(name)) continue;
    const path = join(arriving, name);
    const file = await lstat(path).catch(() => undefined);
    if (file?.isFile() && now - file.mtimeMs > abandonedMs) await removeQuietly(path);
  }
}

/** Removes a file; nothing is said when that fails, because the failure that led here says more. */
async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}
