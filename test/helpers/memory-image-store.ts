import { Readable } from 'node:stream';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ArrivingImage, ImageId, ImageStore, OpenImage, StoredImage } from '../../src/domain/image-store.ts';

/** What goes wrong, and how slow it is. */
export type MemoryDisk = {
  /** So many more writes succeed; all further ones fail. */
  writesLeft: number;
  failsToCommit: boolean;
  failsToRead: boolean;
  failsToOpen: boolean;
  isFull: boolean;
  /** Awaited before each write is done, and before each commit. */
  beforeWrite: (() => Promise<void>) | undefined;
  beforeCommit: (() => Promise<void>) | undefined;
};

const failed = () => new GatewayError('storage_failed', 'The disk has failed.', { outcome: 'unknown' });
const full = () => new GatewayError('storage_full', 'The disk is full.', { outcome: 'not-processed' });

/** The store's contract without a disk, with switches for what can go wrong. Counts what is open. */
export class MemoryImageStore implements ImageStore {
  readonly disk: MemoryDisk = {
    writesLeft: Number.POSITIVE_INFINITY,
    failsToCommit: false,
    failsToRead: false,
    failsToOpen: false,
    isFull: false,
    beforeWrite: undefined,
    beforeCommit: undefined,
  };
  isLocal = true;
  writeBytes = 64 * 1024;
  readonly images = new Map<
    ImageId,
    { readonly stored: StoredImage; readonly bytes: Buffer; readonly isKept: boolean }
  >();
  readonly evictable = new Map<ImageId, number>();
  /** Files that nobody has closed. */
  readonly openFiles = new Set<MemoryFile>();
  writes = 0;
  reads = 0;

  receive(id: ImageId, { isKept }: { readonly isKept: boolean }): MemoryFile {
    return new MemoryFile(this, id, isKept);
  }

  async open(id: string): Promise<OpenImage | undefined> {
    if (this.disk.failsToOpen) throw failed();
    const image = this.images.get(id);
    return image && { ...image.stored, read: () => Readable.from([image.bytes]) };
  }

  async makeRoom(): Promise<void> {
    if (this.disk.isFull) throw full();
  }

  async remove(images: readonly ImageId[]): Promise<void> {
    for (const id of images) this.images.delete(id);
  }

  mayEvict(images: readonly ImageId[], from: number): void {
    for (const id of images) this.evictable.set(id, from);
  }

  readonly usage = { bytes: 0, evictableBytes: 0, maxBytes: 1e9 };

  async close(): Promise<void> {}
}

/** A file that arrives. */
export class MemoryFile implements ArrivingImage {
  readonly #store: MemoryImageStore;
  readonly #id: ImageId;
  readonly #isKept: boolean;
  #bytes = Buffer.alloc(0);
  #state: 'arriving' | 'committed' | 'discarded' = 'arriving';
  #isClosed = false;

  constructor(store: MemoryImageStore, id: ImageId, isKept: boolean) {
    this.#store = store;
    this.#id = id;
    this.#isKept = isKept;
    store.openFiles.add(this);
  }

  get written(): number {
    return this.#bytes.length;
  }

  get hasEnded(): boolean {
    return this.#state !== 'arriving';
  }

  async write(bytes: Buffer): Promise<void> {
    const { disk } = this.#store;
    await disk.beforeWrite?.();
    if (this.#state !== 'arriving' || disk.writesLeft <= 0) throw failed();
    disk.writesLeft -= 1;
    this.#store.writes += 1;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  async read(position: number, length: number): Promise<Buffer> {
    if (this.#isClosed || this.#store.disk.failsToRead) throw failed();
    this.#store.reads += 1;
    return this.#bytes.subarray(position, position + length);
  }

  async commit(): Promise<StoredImage> {
    await this.#store.disk.beforeCommit?.();
    if (this.#state === 'discarded' || this.#store.disk.failsToCommit) {
      this.#state = 'discarded';
      throw failed();
    }
    this.#state = 'committed';
    const stored = { id: this.#id, mediaType: 'image/png', length: this.written, expiresAt: 2e12 };
    this.#store.images.set(this.#id, { stored, bytes: this.#bytes, isKept: this.#isKept });
    return stored;
  }

  async discard(): Promise<void> {
    if (this.#state === 'arriving') this.#state = 'discarded';
  }

  async close(): Promise<void> {
    await this.discard();
    this.#isClosed = true;
    this.#store.openFiles.delete(this);
  }
}
