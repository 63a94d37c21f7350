import type { ListedObject, ObjectBucket } from './object-bucket.ts';

const everyMs = 60 * 60_000;

/** A listing that does not tell the expiry says when the object came: clocks differ, and uploads take time. */
const graceMs = 60 * 60_000;

type SweepParts = {
  readonly bucket: Pick<ObjectBucket, 'list' | 'remove'>;
  /** How long images and inputs are kept. */
  readonly lifetimeMs: () => number;
  /** Unix time in milliseconds. */
  readonly now?: (() => number) | undefined;
};

/** Removes objects that have expired, every hour. Each process sweeps at another time, so that they do not sweep together. */
export class ObjectSweep {
  readonly #parts: SweepParts;
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout;
  #sweep: Promise<void> = Promise.resolve();

  constructor(parts: SweepParts) {
    this.#parts = parts;
    this.#timer = this.#after(Math.random() * everyMs);
  }

  #after(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = this.#after(everyMs);
      // An object store that is away is swept an hour later.
      this.#sweep = this.sweep().catch(() => {});
    }, ms).unref();
  }

  /** Rejects with an ObjectStoreError; what was removed before is gone. */
  async sweep(): Promise<void> {
    const { bucket } = this.#parts;
    const { signal } = this.#closed;
    for (const prefix of ['images/', 'inputs/', 'checks/']) {
      for await (const object of bucket.list(prefix, signal)) {
        if (this.#isExpired(object)) await bucket.remove(object.name, signal);
      }
    }
  }

  #isExpired({ expiresAt, modifiedAt }: ListedObject): boolean {
    const { now = Date.now, lifetimeMs } = this.#parts;
    return (expiresAt ?? modifiedAt + lifetimeMs() + graceMs) <= now();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closed.abort();
    await this.#sweep;
  }
}
