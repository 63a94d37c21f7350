import { statfs } from 'node:fs/promises';

const askEveryMs = 1_000;

/** How many bytes this user may still write to the file system of a directory. Rejects with the disk's error. */
export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize, blocks } = await statfs(directory);
  // Some network file systems do not know their size.
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

/** The free space of a file system, which is asked for at most once per second. */
export class DiskSpace {
  readonly #ask: () => Promise<number>;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> = Promise.resolve();
  #free = 0;

  constructor(ask: () => Promise<number>) {
    this.#ask = ask;
  }

  /** Makes `free` no older than a second. Rejects with the disk's error. */
  refresh(): Promise<void> {
    const now = performance.now();
    if (now - this.#askedAt >= askEveryMs) {
      this.#askedAt = now;
      this.#asking = this.#update();
    }
    return this.#asking;
  }

  async #update(): Promise<void> {
    this.#free = await this.#ask();
  }

  /** In bytes. */
  get free(): number {
    return this.#free;
  }

  /** So many bytes are being removed: nobody else needs to remove them. */
  addFree(bytes: number): void {
    this.#free += bytes;
  }
}
