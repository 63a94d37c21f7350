import { constants, createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { shareRuns } from '../concurrency/share-runs.ts';
import type {
  ArrivingImage,
  ByteRange,
  ImageId,
  ImageStore,
  ImageStoreUsage,
  OpenImage,
  StoredImage,
} from '../domain/image-store.ts';
import type { Retrying } from '../domain/retrying.ts';
import { ArrivingFile, type ReceivedImage } from './arriving-file.ts';
import { DiskSpace, freeBytesOf } from './disk-space.ts';
import { type ImageDirectory, isMissing, openImageDirectory } from './image-directory.ts';
import { type ImageFile, imageFile, isImageId } from './image-file-name.ts';
import { ImageIndex } from './image-index.ts';
import { onDisk, storageFailure, storageFull, storageUnavailable } from './storage-failure.ts';

/** What may change while the store is used. */
export type ImageStoreLimits = {
  /** How long new images can be read. Default: 24 hours. */
  readonly lifetimeMs?: number | undefined;
  /** Above this images are evicted. Default: 80 % of what the file system had for them when the store was created. */
  readonly maxBytes?: number | undefined;
};

export type DiskImageStoreOptions = ImageStoreLimits & {
  /** Created, for this user only, when it does not exist. Several processes may use it at the same time. */
  readonly directory: string;
  /**
   * The last moment, in milliseconds since 1970, at which no other process used the directory: what was not complete then
   * never will be, and is removed.
   */
  readonly soleAt?: number | undefined;
  /** The largest image. Default: 64 MiB, as for downloads. */
  readonly maxImageBytes?: number;
  /** Unix time in milliseconds, by which images expire. */
  readonly now?: () => number;
  /** How many bytes the file system has left. Replaced in tests. */
  readonly freeBytes?: () => Promise<number>;
  /** Opens the directory. Replaced in tests. */
  readonly openFiles?: (directory: string) => Promise<ImageDirectory>;
};

export interface DiskImageStore extends ImageStore {
  /** Replaces the limits. Images keep the expiry that they have; what is too much is evicted with the next image. */
  resize(limits: ImageStoreLimits): void;
  /** As `open`, of the images that this process knows: it does not look for those that another one has stored. */
  openKnown(id: ImageId): Promise<OpenImage | undefined>;
  /** The images that this process knows. */
  readonly files: readonly ImageFile[];
  /** One of them. */
  fileOf(id: ImageId): ImageFile | undefined;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

const defaultLifetimeMs = 24 * 60 * 60_000;
const defaultShare = 0.8;
const sweepEveryMs = 5 * 60_000;
const listEveryMs = 1_000;

/** What the disk must have left before an image is bought: room for the largest one. */
const minFreeBytes = 64 * mebibyte;

/** What all images that arrive may hold in memory together, within the limits of what one does. */
const collectedBytes = 16 * mebibyte;
const minWriteBytes = 64 * kibibyte;
/** An image keeps the buffer that it began with: with longer ones the first of many images would hold most of the memory. */
const maxWriteBytes = 128 * kibibyte;

/**
 * Keeps images in a directory, also across restarts. Rejects with the disk's error when the directory cannot be used.
 */
export async function createDiskImageStore(options: DiskImageStoreOptions): Promise<DiskImageStore> {
  const { directory, soleAt, freeBytes = () => freeBytesOf(directory), now = Date.now } = options;
  const { openFiles = openImageDirectory } = options;
  const files = await openFiles(directory);
  if (soleAt !== undefined) await files.removeArriving(soleAt);
  const index = new ImageIndex();
  await synchronize(index, files, now());
  const defaultMaxBytes = Math.floor(defaultShare * ((await freeBytes()) + index.bytes));
  const store = new DirectoryStore(files, index, { ...options, freeBytes, now, defaultMaxBytes });
  await store.tidy();
  return store;
}

/** Brings the index up to date with the directory, which other processes may have changed. */
async function synchronize(index: ImageIndex, files: ImageDirectory, now: number): Promise<void> {
  // Before the listing: what this process commits meanwhile may be missing in it.
  const known = index.files();
  const announced = index.unknownEvictable();
  const listed = await files.list();
  const names = new Set(listed.map(({ name }) => name));
  for (const file of known) if (!names.has(file.name)) index.remove(file);
  const added = listed.filter((file) => !index.has(file));
  for (const file of await files.inspect(added, now)) {
    const superfluous = adopt(index, file);
    if (superfluous !== undefined) await files.remove(superfluous);
  }
  index.forget(announced);
}

/**
 * Adds another process's file. Of two for the same image, which hold the same, the one to remove is returned: all processes
 * decide by the names, so that they do not remove one each.
 */
function adopt(index: ImageIndex, file: ImageFile): ImageFile | undefined {
  const present = index.get(file.image.id);
  return present === undefined || present.name <= file.name ? index.add(file) : file;
}

type StoreSettings = ImageStoreLimits &
  Required<Pick<DiskImageStoreOptions, 'freeBytes' | 'now'>> &
  Pick<DiskImageStoreOptions, 'maxImageBytes'> & { readonly defaultMaxBytes: number };

class DirectoryStore implements DiskImageStore {
  readonly isLocal = true;
  readonly #files: ImageDirectory;
  readonly #index: ImageIndex;
  readonly #now: () => number;
  readonly #space: DiskSpace;
  readonly #maxImageBytes: number;
  readonly #defaultMaxBytes: number;
  #lifetimeMs = 0;
  #maxBytes = 0;
  /** Names of the files that this process is writing. */
  readonly #arriving = new Set<string>();
  readonly #synchronize: () => Promise<void>;
  readonly #closed = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #sweep: Promise<void> = Promise.resolve();

  constructor(files: ImageDirectory, index: ImageIndex, settings: StoreSettings) {
    this.#files = files;
    this.#index = index;
    this.#now = settings.now;
    this.#space = new DiskSpace(settings.freeBytes);
    this.#maxImageBytes = settings.maxImageBytes ?? 64 * mebibyte;
    this.#defaultMaxBytes = settings.defaultMaxBytes;
    this.resize(settings);
    const update = () => synchronize(index, files, this.#now());
    this.#synchronize = shareRuns(update, listEveryMs, this.#closed.signal);
    this.#timer = setInterval(() => this.#beginSweep(), sweepEveryMs).unref();
  }

  resize({ lifetimeMs = defaultLifetimeMs, maxBytes = this.#defaultMaxBytes }: ImageStoreLimits): void {
    this.#lifetimeMs = lifetimeMs;
    this.#maxBytes = maxBytes;
  }

  receive(id: ImageId, { isKept }: { readonly isKept: boolean }): ArrivingImage {
    // A path is built from it.
    if (!isImageId(id)) throw new TypeError('this is no id of an image');
    const name = this.#files.arrivingName(id);
    this.#arriving.add(name);
    return new ArrivingFile({
      path: this.#files.arrivingPath(name),
      maxBytes: this.#maxImageBytes,
      commit: (received, retrying) => this.#commit(name, { id, isKept, ...received }, retrying),
      end: () => this.#arriving.delete(name),
    });
  }

  async #commit(
    arrivingName: string,
    { id, isKept, mediaType, length }: ReceivedImage & { readonly id: ImageId; readonly isKept: boolean },
    retrying: Retrying | undefined,
  ): Promise<StoredImage> {
    if (!isKept && length > this.#maxBytes) throw storageFailure('the image is longer than the whole store');
    const image = { id, mediaType, length, expiresAt: Math.round(this.#now() + this.#lifetimeMs) };
    const file = imageFile(image, isKept);
    await this.#files.commit(arrivingName, file, retrying);
    const earlier = this.#index.add(file);
    if (earlier !== undefined) await this.#files.remove(earlier);
    // Only now: an image that could not be stored must not evict another.
    await this.#evict(this.#index.bytes - this.#maxBytes, id);
    return image;
  }

  get writeBytes(): number {
    const share = Math.floor(collectedBytes / Math.max(1, this.#arriving.size));
    return Math.max(minWriteBytes, Math.min(maxWriteBytes, share));
  }

  async open(id: string): Promise<OpenImage | undefined> {
    // A path is built from what the index holds, never from what a client sent.
    if (!isImageId(id)) return undefined;
    const known = await this.openKnown(id);
    if (known !== undefined || this.#isExpired(id)) return known;
    // Another process may have stored it. However many ids are guessed, they wait for one listing per second.
    await this.#synchronize();
    return this.openKnown(id);
  }

  async openKnown(id: ImageId): Promise<OpenImage | undefined> {
    const file = this.#index.get(id);
    if (file === undefined || this.#isExpired(id)) return undefined;
    const path = this.#files.path(file);
    if (!(await isWhole(path, file.image.length))) return undefined;
    return { ...file.image, read: (range) => readImage(path, range) };
  }

  get files(): readonly ImageFile[] {
    return this.#index.files();
  }

  fileOf(id: ImageId): ImageFile | undefined {
    return this.#index.get(id);
  }

  #isExpired(id: ImageId): boolean {
    const file = this.#index.get(id);
    return file !== undefined && file.image.expiresAt <= this.#now();
  }

  async makeRoom(): Promise<void> {
    await onDisk(this.#space.refresh(), storageUnavailable);
    await this.#evict(this.#missingBytes);
    if (this.#missingBytes <= 0) return;
    // Another process may have removed some.
    await onDisk(this.#synchronize(), storageUnavailable);
    await this.#evict(this.#missingBytes);
    if (this.#missingBytes > 0) throw storageFull();
  }

  /** How many bytes must be evicted before another image may be bought. */
  get #missingBytes(): number {
    return Math.max(minFreeBytes - this.#space.free, this.#index.bytes - this.#maxBytes + 1);
  }

  /** Nothing is awaited between the count of the bytes and this: others must not evict for the same ones. */
  async #evict(bytes: number, except?: ImageId): Promise<void> {
    await this.#removeAll(this.#index.takeEvictable(bytes, this.#now(), except));
  }

  async #removeAll(files: readonly ImageFile[]): Promise<void> {
    for (const { image } of files) this.#space.addFree(image.length);
    for (const file of files) await this.#files.remove(file);
  }

  async remove(images: readonly ImageId[]): Promise<void> {
    const isKnown = (id: ImageId) => this.#index.get(id) !== undefined;
    // Another process may have stored them.
    if (!images.every(isKnown)) await this.#synchronize().catch(() => {});
    const files = images.map((id) => this.#index.get(id)).filter((file) => file !== undefined);
    for (const file of files) this.#index.remove(file);
    await this.#removeAll(files);
  }

  mayEvict(images: readonly ImageId[], from: number): void {
    for (const id of images) this.#index.mayEvict(id, from);
  }

  get usage(): ImageStoreUsage {
    const evictableBytes = this.#index.evictableBytes(this.#now());
    return { bytes: this.#index.bytes, evictableBytes, maxBytes: this.#maxBytes };
  }

  #beginSweep(): void {
    // A directory that cannot be listed is listed again next time; storing an image fails with the reason.
    this.#sweep = this.#synchronize()
      .then(() => this.tidy())
      .catch(() => {});
  }

  /** Removes what is of no use any more, or too much. */
  async tidy(): Promise<void> {
    await this.#removeAll(this.#index.takeExpired(this.#now()));
    await this.#evict(this.#index.bytes - this.#maxBytes);
    await this.#files.removeAbandoned((name) => this.#arriving.has(name));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closed.abort();
    await this.#sweep;
  }
}

async function isWhole(path: string, length: number): Promise<boolean> {
  try {
    const file = await lstat(path);
    return file.isFile() && file.size === length;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** The file is opened at once, so an image that is evicted later is still read to its end. */
function readImage(path: string, range?: ByteRange): Readable {
  // Node hands numbers on to open(2), but its types know only names, and none has O_NOFOLLOW.
  const flags = (constants.O_RDONLY | constants.O_NOFOLLOW) as unknown as string;
  return createReadStream(path, range ? { flags, start: range.first, end: range.last } : { flags });
}
