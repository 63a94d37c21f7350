import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { StoredImage } from '../domain/image-store.ts';
import { prepareDirectory, syncDirectory } from './data-directory.ts';

/** Requests end within an hour, so a file that was not written to for an hour has no writer. */
const abandonedMs = 60 * 60_000;

/**
 * The files of the store: `arriving/<id>` while an image arrives, `images/<record>` from the rename that commits it.
 *
 * An image is written to the end and synced before that rename, and the directory is synced after it, so each file in
 * `images` is whole, and no link leads to anything in `arriving`. A crash leaves at most an abandoned file in `arriving`,
 * or a whole image without a link, which expires like any other.
 *
 * Files whose names are not ours are neither served nor removed: the directory may be the wrong one.
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
  /** Removes the files of an image, wherever they are. Never rejects: what cannot be removed is found again at the next start. */
  remove(image: StoredImage): Promise<void>;
  removeArriving(id: string): Promise<void>;
  /** All images, oldest first. Removes files that have expired, or that are not what their name says. */
  load(now: number): Promise<StoredImage[]>;
  /** Removes what a crashed process left behind, but nothing that another process may still write to. */
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

/** Removes a file. A failure is ignored: the failure that led here says more. */
async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

// Never SVG or HTML: a browser would run the scripts in them.
const subtypes = 'png|jpeg|gif|webp';
const mediaTypePattern = new RegExp(`^image/(?:${subtypes})$`);
const idPattern = /^[\w-]{24}$/;
const namePattern = new RegExp(`^([\\w-]{24})\\.(\\d{1,15})\\.(\\d{1,9})\\.([\\w-]{43})\\.(${subtypes})$`);

/** True for the media types that are kept and served. */
export function isHostable(type: string | undefined): type is string {
  return type !== undefined && mediaTypePattern.test(type);
}

/** True for text that could be an id: 144 bits as base64url. */
export function isImageId(text: string): boolean {
  return idPattern.test(text);
}

/**
 * The file name is the image's whole record: `id.expiry.length.tag.subtype`. So the one rename that makes an image
 * visible also commits what is known about it, and no crash can separate the two.
 */
function imageName({ id, expiresAt, length, tag, mediaType }: StoredImage): string {
  return `${id}.${expiresAt}.${length}.${tag}.${mediaType.slice('image/'.length)}`;
}

/** Reads a file name; `undefined` for one that is not ours. */
function parseImageName(text: string): StoredImage | undefined {
  const [, id, expiresAt, length, tag, subtype] = namePattern.exec(text) ?? [];
  if (id === undefined || tag === undefined) return undefined;
  return { id, mediaType: `image/${subtype}`, length: Number(length), tag, expiresAt: Number(expiresAt) };
}
