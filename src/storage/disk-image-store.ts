import { randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ByteRange, ImageStore, StoredImage } from '../domain/image-store.ts';
import { type ImageDirectory, isImageId, openImageDirectory } from './image-directory.ts';
import { createArrivalPermits, receiveImage } from './receive-image.ts';
import { onDisk, retryOnDisk, storageFailure } from './storage-failure.ts';

export type DiskImageStoreOptions = {
  /** Created, for this user only, when it does not exist. One process at a time uses it. */
  readonly directory: string;
  /** How long an image can be read. Default: 24 hours. */
  readonly lifetimeMs?: number;
  /** Above this the oldest images are evicted. Default: 5 GB. */
  readonly maxBytes?: number;
  /** The largest image. Default: 64 MiB, as for downloads. */
  readonly maxImageBytes?: number;
  /** Unix time in milliseconds. */
  readonly now?: () => number;
};

const sweepEveryMs = 5 * 60_000;

const once = { signal: new AbortController().signal, until: 0 };

const maxArrivals = 16;
const maxArrivalHoldMs = 10_000;

/**
 * Keeps images in a directory, also across restarts. Rejects with the disk's error when the directory
 * cannot be used.
 */
export async function createDiskImageStore({
  directory,
  lifetimeMs = 24 * 60 * 60_000,
  maxBytes = 5_000_000_000,
  maxImageBytes = 64 * 1024 * 1024,
  now = Date.now,
}: DiskImageStoreOptions): Promise<ImageStore> {
  const files = await openImageDirectory(directory);
  const index = createImageIndex(maxBytes);
  for (const image of await files.load(now())) index.add(image);
  await removeAll(files, index.takeExcess(now()));
  await files.removeAbandoned(now());
  const withPermit = createArrivalPermits(maxArrivals, maxArrivalHoldMs);
  const stopSweeping = sweepRegularly(files, index, now);

  return {
    async put(bytes, retrying = once) {
      const id = randomBytes(18).toString('base64url');
      try {
        const arriving = { path: files.arrivingPath(id), maxBytes: maxImageBytes, retrying };
        const received = await withPermit(() => receiveImage(bytes, arriving), retrying.signal);
        if (received.length > maxBytes) throw storageFailure('the image is longer than the whole store');
        const image = { id, ...received, expiresAt: Math.round(now() + lifetimeMs) };
        await onDisk(files.commit(image, (rename) => retryOnDisk(rename, retrying)));
        index.add(image);
        // Only now: an image that could not be stored must not evict another.
        await removeAll(files, index.takeExcess(now()));
        return image;
      } catch (error) {
        await files.removeArriving(id);
        throw error;
      }
    },
    async open(id) {
      // A path is built from what the index holds, never from what a client sent.
      const image = isImageId(id) ? index.get(id) : undefined;
      if (image === undefined || image.expiresAt <= now()) return undefined;
      const path = files.path(image);
      if (!(await isWhole(path, image.length))) return undefined;
      return { ...image, read: (range) => readImage(path, range) };
    },
    close: stopSweeping,
  };
}

async function isWhole(path: string, length: number): Promise<boolean> {
  try {
    const file = await lstat(path);
    return file.isFile() && file.size === length;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

/** The file is opened at once, so an image that is evicted later is still read to its end. */
function readImage(path: string, range?: ByteRange): Readable {
  // Node hands numbers on to open(2), but its types know only names, and none has O_NOFOLLOW.
  const flags = (constants.O_RDONLY | constants.O_NOFOLLOW) as unknown as string;
  return createReadStream(path, range ? { flags, start: range.first, end: range.last } : { flags });
}

/** Returns a function that stops it, and resolves once a sweep that is under way has ended. */
function sweepRegularly(files: ImageDirectory, index: ImageIndex, now: () => number): () => Promise<void> {
  let sweep: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    // A directory that cannot be listed is listed again next time; storing an image fails with the reason.
    sweep = removeAll(files, index.takeExpired(now()))
      .then(() => files.removeAbandoned(now()))
      .catch(() => {});
  }, sweepEveryMs).unref();
  return async () => {
    clearInterval(timer);
    await sweep;
  };
}

async function removeAll(files: ImageDirectory, images: readonly StoredImage[]): Promise<void> {
  for (const image of images) await files.remove(image);
}

/** The images of the store, by id and from the oldest to the newest, so that no request lists a directory. */
interface ImageIndex {
  /** `image` is newer than all that were added before. */
  add(image: StoredImage): void;
  get(id: string): StoredImage | undefined;
  /** Takes out the images that have expired at `now`; their files are still to be removed. */
  takeExpired(now: number): StoredImage[];
  /** Takes out the images that must be evicted for the rest to fit: the expired first, then the oldest. */
  takeExcess(now: number): StoredImage[];
}

/** An empty index of a store that may hold `maxBytes`. */
function createImageIndex(maxBytes: number): ImageIndex {
  const images = new Map<string, StoredImage>();
  let total = 0;

  const takeWhile = (from: Iterable<StoredImage>, wanted: () => boolean): StoredImage[] => {
    const taken: StoredImage[] = [];
    for (const image of from) {
      if (!wanted()) break;
      images.delete(image.id);
      total -= image.length;
      taken.push(image);
    }
    return taken;
  };
  const takeExpired = (now: number) => {
    const expired = [...images.values()].filter(({ expiresAt }) => expiresAt <= now);
    return takeWhile(expired, () => true);
  };
  const isFull = () => total > maxBytes;

  return {
    add(image) {
      images.set(image.id, image);
      total += image.length;
    },
    get: (id) => images.get(id),
    takeExpired,
    takeExcess: (now) => (isFull() ? [...takeExpired(now), ...takeWhile(images.values(), isFull)] : []),
  };
}
