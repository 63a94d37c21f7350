import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { imageMediaType } from '../../codec/image-header.ts';
import { pause } from '../../concurrency/pause.ts';
import type { Semaphore } from '../../concurrency/semaphore.ts';
import type {
  ArrivingImage,
  ByteRange,
  ImageId,
  ImageStore,
  ImageStoreUsage,
  OpenImage,
  StoredImage,
} from '../../domain/image-store.ts';
import type { ImageUploads } from '../../domain/image-uploads.ts';
import type { DiskImageStore, ImageStoreLimits } from '../disk-image-store.ts';
import { type ImageFile, isHostable, isImageId } from '../image-file-name.ts';
import { storageUnreachable } from '../storage-failure.ts';
import { ArrivingUpload } from './arriving-upload.ts';
import type { ObjectBucket } from './object-bucket.ts';
import { ObjectSweep } from './object-sweep.ts';
import { PartSender, partPermits } from './part-sender.ts';
import { readableLater } from './readable-later.ts';
import { orAborted } from './request-limit.ts';
import { defaultQueueTimes, type QueueTimes, UploadQueue } from './upload-queue.ts';

/** In milliseconds. Shortened in tests. */
export type ObjectStoreTimes = QueueTimes & {
  /** How long the end of a response waits for the acknowledgement, from the last byte of its image on. */
  readonly acknowledgeMs: number;
  /** How long a process that ends uploads what waits, while that succeeds. */
  readonly closeMs: number;
};

const defaultTimes: ObjectStoreTimes = { ...defaultQueueTimes, acknowledgeMs: 10_000, closeMs: 5_000 };

export type ObjectImageStoreOptions = {
  readonly bucket: ObjectBucket;
  /** Has the images that the object store has not acknowledged, and no others. It is closed with this store. */
  readonly local: DiskImageStore;
  /** How long new images can be read. */
  readonly lifetimeMs: number;
  /** Unix time in milliseconds, by which images expire. */
  readonly now?: (() => number) | undefined;
  readonly times?: Partial<ObjectStoreTimes>;
  /** One for each part that is in memory. Default: {@link partPermits} of its own. */
  readonly permits?: Semaphore;
};

export interface ObjectImageStore extends ImageStore {
  readonly uploads: ImageUploads;
  /** How long new images can be read. */
  readonly lifetimeMs: number;
  /** A signed link to the image in the object store; `undefined` while it is not there, or cannot be signed. Never rejects. */
  linkTo(image: StoredImage): Promise<string | undefined>;
  /** Replaces the limits. What is stored keeps its expiry, but for S3's, whose listings do not say it. */
  resize(limits: ImageStoreLimits & { readonly lifetimeMs: number }): void;
}

/** Images in an object store, which any number of gateways share. */
export function createObjectImageStore(options: ObjectImageStoreOptions): ObjectImageStore {
  return new BucketStore(options);
}

class BucketStore implements ObjectImageStore {
  readonly isLocal = false;
  readonly #bucket: ObjectBucket;
  readonly #local: DiskImageStore;
  readonly #now: () => number;
  readonly #times: ObjectStoreTimes;
  readonly #permits: Semaphore;
  readonly #queue: UploadQueue;
  readonly #sweep: ObjectSweep;
  readonly #closed = new AbortController();
  lifetimeMs: number;
  /** Images that are on their way: whoever wants them there waits for that. */
  readonly #uploads = new Map<ImageId, Promise<void>>();
  /** Those that were removed while they were uploaded. */
  readonly #removed = new Set<ImageId>();

  constructor({ bucket, local, lifetimeMs, now = Date.now, times, permits }: ObjectImageStoreOptions) {
    this.#bucket = bucket;
    this.#local = local;
    this.lifetimeMs = lifetimeMs;
    this.#now = now;
    this.#times = { ...defaultTimes, ...times };
    this.#permits = permits ?? partPermits(bucket);
    this.#queue = new UploadQueue({ upload: (file, signal) => this.#uploadLater(file, signal), times: this.#times });
    this.#sweep = new ObjectSweep({ bucket, now, lifetimeMs: () => this.lifetimeMs });
    for (const file of local.files) this.#queue.add(file);
  }

  get uploads(): ImageUploads {
    return this.#queue;
  }

  get writeBytes(): number {
    return this.#local.writeBytes;
  }

  resize(limits: ImageStoreLimits & { readonly lifetimeMs: number }): void {
    this.lifetimeMs = limits.lifetimeMs;
    this.#local.resize(limits);
  }

  receive(id: ImageId, options: { readonly isKept: boolean; readonly isPartial?: boolean }): ArrivingImage {
    const local = this.#local.receive(id, options);
    if (options.isPartial) return local;
    const { isKept } = options;
    const sender = new PartSender({
      bucket: this.#bucket,
      name: nameOf(id),
      permits: this.#permits,
      read: (position, length) => local.read(position, length),
      describe: (head) => ({
        // The local store has accepted this header.
        contentType: imageMediaType(head) as string,
        expiresAt: Math.round(this.#now() + this.lifetimeMs),
        isKept,
      }),
    });
    return new ArrivingUpload({
      local,
      sender,
      closed: this.#closed.signal,
      isWorthwhile: () => !this.#queue.isFailing && !this.#closed.signal.aborted,
      stored: async (image, send) => {
        const isThere = await this.#acknowledge(image, isKept, send);
        return isThere ? { ...image, expiresAt: sender.properties?.expiresAt ?? image.expiresAt } : image;
      },
    });
  }

  /** Whether the object store has it. Otherwise it waits. */
  async #acknowledge(image: StoredImage, isKept: boolean, send: (() => Promise<void>) | undefined): Promise<boolean> {
    const { id } = image;
    const limit = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(this.#times.acknowledgeMs)]);
    const upload = send && this.#upload(id, send());
    try {
      if (upload === undefined) return false;
      await orAborted(upload, limit);
      return true;
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#queue.noteFailure(error);
      return false;
    } finally {
      this.#queueIfLocal(id, { image, isKept });
    }
  }

  /** Follows an upload to its end, which may come after everybody has stopped waiting. */
  #upload(id: ImageId, sent: Promise<void>): Promise<void> {
    const upload = sent
      .then(() => this.#acknowledged(id))
      .finally(() => {
        this.#uploads.delete(id);
        this.#removed.delete(id);
      });
    this.#uploads.set(id, upload);
    upload.catch(() => {});
    return upload;
  }

  /** Its local file is of no use any more; those that read it read on. */
  async #acknowledged(id: ImageId): Promise<void> {
    await this.#local.remove([id]);
    this.#queue.noteSuccess(id);
    if (this.#removed.has(id)) await this.#removeObject(id);
  }

  #queueIfLocal(id: ImageId, record: Pick<ImageFile, 'image' | 'isKept'>): void {
    const file = this.#local.fileOf(id);
    if (file !== undefined) this.#queue.add({ ...file, ...record });
  }

  async #uploadLater(file: ImageFile, signal: AbortSignal): Promise<void> {
    const { id, length, mediaType, expiresAt } = file.image;
    const running = this.#uploads.get(id);
    if (running !== undefined) return orAborted(running, signal);
    const opened = await this.#local.openKnown(id);
    // It has expired, was removed, or was uploaded by another process.
    if (opened === undefined) return;
    const sender = new PartSender({
      bucket: this.#bucket,
      name: nameOf(id),
      permits: this.#permits,
      read: (position, size) => buffer(opened.read({ first: position, last: position + size - 1 })),
      describe: () => ({ contentType: mediaType, expiresAt, isKept: file.isKept }),
    });
    try {
      await this.#upload(id, sender.finish(length, signal));
    } catch (error) {
      void sender.abort();
      throw error;
    }
  }

  async open(id: string): Promise<OpenImage | undefined> {
    if (!isImageId(id)) return undefined;
    const image = await this.#find(id);
    return (
      image && {
        ...image,
        read: (range) => readableLater((signal) => this.#read(id, range, signal), storageUnreachable),
      }
    );
  }

  async #find(id: ImageId): Promise<StoredImage | undefined> {
    const known = await this.#local.openKnown(id);
    if (known !== undefined) return known;
    try {
      const head = await this.#bucket.head(nameOf(id), this.#closed.signal);
      if (head !== undefined) return this.#imageOf(id, head);
    } catch (error) {
      // Another process may have it in the same directory.
      const shared = await this.#local.open(id);
      if (shared !== undefined) return shared;
      throw storageUnreachable(error);
    }
    return this.#local.open(id);
  }

  #imageOf(
    id: ImageId,
    { contentType, length, expiresAt }: NonNullable<Awaited<ReturnType<ObjectBucket['head']>>>,
  ): StoredImage | undefined {
    // Somebody else may have written it: nothing but images is served.
    if (!isHostable(contentType) || expiresAt === undefined || expiresAt <= this.#now()) return undefined;
    return { id, mediaType: contentType, length, expiresAt };
  }

  /** From wherever it is when it is read: it may have been uploaded since it was opened. */
  async #read(id: ImageId, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable> {
    const stream = (await this.#local.openKnown(id))?.read(range);
    try {
      if (stream !== undefined) {
        await once(stream, 'open');
        return stream;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return this.#bucket.read(nameOf(id), range, AbortSignal.any([signal, this.#closed.signal]));
  }

  makeRoom(): Promise<void> {
    return this.#local.makeRoom();
  }

  async remove(images: readonly ImageId[]): Promise<void> {
    for (const id of images) {
      this.#queue.delete(id);
      if (this.#uploads.has(id)) this.#removed.add(id);
    }
    await Promise.all([this.#local.remove(images), ...images.map((id) => this.#removeObject(id))]);
  }

  /** What cannot be removed now expires. */
  async #removeObject(id: ImageId): Promise<void> {
    if (isImageId(id)) await this.#bucket.remove(nameOf(id), this.#closed.signal).catch(() => {});
  }

  mayEvict(images: readonly ImageId[], from: number): void {
    this.#local.mayEvict(images, from);
  }

  get usage(): ImageStoreUsage {
    return this.#local.usage;
  }

  async linkTo(image: StoredImage): Promise<string | undefined> {
    const { id, expiresAt } = image;
    if (this.#uploads.has(id) || this.#queue.has(id)) return undefined;
    return this.#bucket.link(nameOf(id), expiresAt).catch(() => undefined);
  }

  async close(): Promise<void> {
    // What waits may be lost with the machine.
    await Promise.race([this.#queue.drained(), pause(this.#times.closeMs, this.#closed.signal).catch(() => {})]);
    this.#closed.abort();
    await Promise.all([this.#queue.close(), this.#sweep.close()]);
    await this.#local.close();
    this.#bucket.close();
  }
}

function nameOf(id: ImageId): string {
  return `images/${id}`;
}
