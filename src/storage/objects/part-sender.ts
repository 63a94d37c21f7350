import { Semaphore } from '../../concurrency/semaphore.ts';
import type { ObjectBucket, ObjectProperties, ObjectUpload } from './object-bucket.ts';

/** What all parts that are being sent may take of memory together, in bytes. */
const sentBytes = 32 * 1024 * 1024;

/** Permits for as many parts as may be in memory at once. */
export function partPermits({ partBytes }: Pick<ObjectBucket, 'partBytes'>): Semaphore {
  return new Semaphore({ permits: Math.max(1, Math.floor(sentBytes / partBytes)) });
}

type PartSenderParts = {
  readonly bucket: ObjectBucket;
  readonly name: string;
  /** One for each part that is in memory. */
  readonly permits: Semaphore;
  /** `length` bytes from a position on. */
  readonly read: (position: number, length: number) => Promise<Buffer>;
  /** Asked once, for the first part. */
  readonly describe: (head: Buffer) => ObjectProperties;
};

/** Sends one object part by part, of which each is in memory only while it is sent. One call at a time. */
export class PartSender {
  readonly #parts: PartSenderParts;
  #properties: ObjectProperties | undefined;
  #upload: ObjectUpload | undefined;
  #sent = 0;

  constructor(parts: PartSenderParts) {
    this.#parts = parts;
  }

  /** In bytes. */
  get sent(): number {
    return this.#sent;
  }

  /** What was said of the object; `undefined` before anything was sent. */
  get properties(): ObjectProperties | undefined {
    return this.#properties;
  }

  /** Sends the full parts of so many bytes, and of those that have come meanwhile. */
  async sendFull(available: () => number, signal: AbortSignal): Promise<void> {
    const { partBytes } = this.#parts.bucket;
    // The last part of all is not sent before it is known to be that.
    while (available() - this.#sent > partBytes) await this.#send(partBytes, signal);
  }

  /** Sends the rest of an object of that length. Resolves with the acknowledgement. */
  async finish(length: number, signal: AbortSignal): Promise<void> {
    const { partBytes } = this.#parts.bucket;
    if (this.#upload === undefined && length <= partBytes) return this.#put(length, signal);
    while (this.#sent < length) await this.#send(Math.min(partBytes, length - this.#sent), signal);
    await this.#upload?.commit(signal);
  }

  /** Never rejects. */
  async abort(): Promise<void> {
    await this.#upload?.abort();
  }

  #put(length: number, signal: AbortSignal): Promise<void> {
    const { bucket, name } = this.#parts;
    return this.#withPart(length, signal, (bytes, properties) => bucket.put(name, bytes, properties, signal));
  }

  #send(length: number, signal: AbortSignal): Promise<void> {
    const { bucket, name } = this.#parts;
    return this.#withPart(length, signal, async (bytes, properties) => {
      this.#upload ??= bucket.upload(name, properties);
      await this.#upload.add(bytes, signal);
      this.#sent += length;
    });
  }

  async #withPart(
    length: number,
    signal: AbortSignal,
    send: (bytes: Buffer, properties: ObjectProperties) => Promise<void>,
  ): Promise<void> {
    const { permits, read, describe } = this.#parts;
    const release = await permits.acquire(signal);
    try {
      signal.throwIfAborted();
      const bytes = await read(this.#sent, length);
      if (bytes.length !== length) throw new Error('an image that is uploaded has become shorter');
      this.#properties ??= describe(bytes);
      await send(bytes, this.#properties);
    } finally {
      release();
    }
  }
}
