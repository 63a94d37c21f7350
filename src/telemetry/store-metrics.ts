import { Counter, Gauge, type Registry } from 'prom-client';
import type { JobStoreFigures } from '../domain/job-store.ts';
import type { QuotaFigures } from '../domain/quota-pools.ts';

/** What the job store counts, read when somebody asks for the metrics, from where the returned function says. */
export function jobMetrics(registry: Registry): (read: () => Promise<JobStoreFigures>) => void {
  let read: (() => Promise<JobStoreFigures>) | undefined;
  const registers = [registry];
  let reading: Promise<JobStoreFigures | undefined> | undefined;
  // One read for all of them; and a store that is not available must not keep the other metrics back.
  const figures = () => {
    reading ??= read?.()
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };

  function counted(name: string, help: string, value: (found: JobStoreFigures) => number): void {
    new Counter({
      name,
      help,
      registers,
      async collect() {
        const found = await figures();
        this.reset();
        if (found) this.inc(value(found));
      },
    });
  }

  new Gauge({
    name: 'gateway_jobs',
    help: 'Jobs that are recorded, by state',
    labelNames: ['state'],
    registers,
    async collect() {
      const found = await figures();
      this.reset();
      for (const [state, count] of Object.entries(found?.rows ?? {})) this.set({ state }, count);
    },
  });
  counted('gateway_job_commits_total', 'Transactions of the job store', ({ commits }) => commits);
  counted('gateway_job_changes_total', 'Changes that these transactions were made of', ({ changes }) => changes);
  return (where) => {
    read = where;
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
