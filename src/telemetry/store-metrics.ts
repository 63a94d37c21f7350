import { Counter, Gauge, type Registry } from 'prom-client';
import type { JobStore, JobTransactions } from '../domain/job-store.ts';
import type { QuotaFigures } from '../domain/quota-pools.ts';

/** What jobs are counted in. */
type Counted = Pick<JobStore, 'figures' | 'transactions'>;

type Rows = Readonly<Record<string, number>>;

/** A count, or its failure, is good for so many times as long as it took: the database has other work. */
const keptTimes = 40;
const maxKeepMs = 60_000;

/** What the job store counts, read when somebody asks for the metrics, from where the returned function says. */
export function jobMetrics(registry: Registry): (store: Counted) => void {
  let store: Counted | undefined;
  const registers = [registry];

  function counted(name: string, help: string, value: (found: JobTransactions) => number): void {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        if (store) this.inc(value(store.transactions));
      },
    });
  }

  const rows = sparingly(async () => (await store?.figures())?.rows);
  new Gauge({
    name: 'gateway_jobs',
    help: 'Jobs that are recorded, by state',
    labelNames: ['state'],
    registers,
    async collect() {
      const found = await rows();
      this.reset();
      for (const [state, count] of Object.entries(found ?? {})) this.set({ state }, count);
    },
  });
  counted('gateway_job_commits_total', 'Transactions of the job store', ({ commits }) => commits);
  counted('gateway_job_changes_total', 'Changes that these transactions were made of', ({ changes }) => changes);
  return (where) => {
    store = where;
  };
}

/** The same count, one at a time for all that ask. Never rejects: a store that is away must not keep other metrics back. */
function sparingly(count: () => Promise<Rows | undefined>): () => Promise<Rows | undefined> {
  let last: { readonly rows: Promise<Rows | undefined>; until: number } | undefined;
  return () => {
    const begin = performance.now();
    if (last !== undefined && begin < last.until) return last.rows;
    const counting = { rows: count().catch(() => undefined), until: Number.POSITIVE_INFINITY };
    last = counting;
    void counting.rows.then(() => {
      const end = performance.now();
      counting.until = end + Math.min(maxKeepMs, keptTimes * (end - begin));
    });
    return counting.rows;
  };
}

/** How much of the quotas is used, read when somebody asks for the metrics, from where the returned function says. */
export function quotaMetrics(registry: Registry): (read: () => Promise<readonly QuotaFigures[]>) => void {
  let read: (() => Promise<readonly QuotaFigures[]>) | undefined;
  new Gauge({
    name: 'gateway_quota_used_ratio',
    help: 'Calls of the last minute, of all processes, as a share of what a quota allows; missing while that is not known',
    labelNames: ['pool'],
    registers: [registry],
    async collect() {
      // A store that is not available must not keep the other metrics back.
      const found = (await read?.().catch(() => undefined)) ?? [];
      this.reset();
      for (const { pool, used } of found) if (used !== undefined) this.set({ pool }, used);
    },
  });
  return (where) => {
    read = where;
  };
}
