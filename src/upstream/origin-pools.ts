import { Pool } from 'undici';

/**
 * A pool of connections for each origin, kept for as long as the process lives: undici's own Agent takes one down with its
 * last connection, which here is the end of each answer, and builds the next one anew. What is kept beside the connections
 * is as much as calls have run at once.
 */
export class OriginPools {
  readonly #options: Pool.Options;
  readonly #pools = new Map<string, Pool>();
  #isDestroyed = false;

  constructor(options: Pool.Options) {
    this.#options = options;
  }

  of(origin: string): Pool {
    const known = this.#pools.get(origin);
    if (known) return known;
    const pool = new Pool(origin, this.#options);
    this.#pools.set(origin, pool);
    if (this.#isDestroyed) void pool.destroy();
    return pool;
  }

  /** Breaks every call off; none begins any more. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }
}
