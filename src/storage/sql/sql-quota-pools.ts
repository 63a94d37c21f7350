import type { QuotaFigures, QuotaLimits, QuotaPool, QuotaPools } from '../../domain/quota-pools.ts';
import type { JobOwner } from './job-owner.ts';
import { type OperationRunner, runOrFail } from './operations.ts';
import type { PoolRule } from './quota-rows.ts';
import { SqlQuotaPool } from './sql-quota-pool.ts';

/** How long things take in quota pools, in milliseconds. Shortened in tests. */
export type QuotaTimes = {
  /** For what limits are given: Azure's minute. */
  readonly windowMs: number;
  /** So much longer a grant counts here than at Azure, whose clock shows another time when a call arrives. */
  readonly marginMs: number;
  /** How often it is looked whether it is a waiting call's turn, beside the times when that is expected. */
  readonly pollMs: number;
  /** A 429 may ask for a longer wait, or an outdated one: the pool is tried again after this one. */
  readonly maxBlockMs: number;
  /** So long calls go on waiting while the store is away: a database that fails over is back by then. */
  readonly maxAwayMs: number;
};

const defaultTimes: QuotaTimes = {
  windowMs: 60_000,
  marginMs: 1_200,
  pollMs: 250,
  maxBlockMs: 300_000,
  maxAwayMs: 30_000,
};

/** A process that has not looked for so many polls gets no turn. */
const stalePolls = 10;

/** Where pools are shared, and as whom. */
export type QuotaStore = { readonly runner: OperationRunner; readonly owner: JobOwner };

/** The quota pools in the database of the jobs, which several processes share. */
export class SqlQuotaPools implements QuotaPools {
  readonly #store: QuotaStore;
  readonly #times: QuotaTimes;
  readonly #pools = new Map<string, SqlQuotaPool>();
  #limits: ReadonlyMap<string, QuotaLimits> = new Map();

  constructor(store: QuotaStore, times: Partial<QuotaTimes> = {}) {
    this.#store = store;
    this.#times = { ...defaultTimes, ...times };
  }

  pool(name: string): QuotaPool {
    const known = this.#pools.get(name);
    if (known) return known;
    const pool = new SqlQuotaPool(name, { store: this.#store, times: this.#times, rule: () => this.#ruleOf(name) });
    this.#pools.set(name, pool);
    return pool;
  }

  configure(limits: ReadonlyMap<string, QuotaLimits>): void {
    this.#limits = limits;
    for (const pool of this.#pools.values()) pool.look();
  }

  figures(): Promise<readonly QuotaFigures[]> {
    const { runner, owner } = this.#store;
    const read = async (pool: string) => ({
      pool,
      ...(await runOrFail(runner, 'readQuota', this.#ruleOf(pool), owner.now())),
    });
    return Promise.all([...this.#limits.keys()].map(read));
  }

  #ruleOf(pool: string): PoolRule {
    const { requests = null, images = null } = this.#limits.get(pool) ?? {};
    const { windowMs, marginMs, pollMs } = this.#times;
    return { pool, requests, images, windowMs: windowMs + marginMs, marginMs, staleMs: stalePolls * pollMs };
  }
}
