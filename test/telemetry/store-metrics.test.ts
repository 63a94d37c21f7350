import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { JobStoreFigures } from '../../src/domain/job-store.ts';
import { jobMetrics } from '../../src/telemetry/store-metrics.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A store whose count takes so long, and then has this result. */
function countingStore(takesMs: number, result: () => number) {
  const registry = new Registry();
  const transactions = { commits: 2, changes: 3 };
  const store = {
    transactions,
    counts: 0,
    async figures(): Promise<JobStoreFigures> {
      store.counts += 1;
      await new Promise((resolve) => setTimeout(resolve, takesMs));
      return { rows: { done: result() }, ...transactions };
    },
  };
  jobMetrics(registry)(store);
  const scrape = async () => {
    const metrics = registry.metrics();
    await vi.advanceTimersByTimeAsync(takesMs);
    return (await metrics).split('\n').filter((line) => line.startsWith('gateway_'));
  };
  return { store, scrape };
}

const transactions = ['gateway_job_commits_total 2', 'gateway_job_changes_total 3'];

test('scrapes of one moment count the jobs once', async () => {
  const { store, scrape } = countingStore(10, () => 7);
  const scrapes = await Promise.all([scrape(), scrape()]);
  expect(scrapes).toEqual(Array(2).fill(['gateway_jobs{state="done"} 7', ...transactions]));
  expect(store.counts).toBe(1);
  await vi.advanceTimersByTimeAsync(400);
  await scrape();
  expect(store.counts).toBe(2);
});

test('a count is good for 40 times as long as it took', async () => {
  let jobs = 7;
  const { store, scrape } = countingStore(200, () => jobs);
  await scrape();
  jobs = 8;
  expect(await scrape()).toContain('gateway_jobs{state="done"} 7');
  expect(store.counts).toBe(1);
  await vi.advanceTimersByTimeAsync(8_000);
  expect(await scrape()).toContain('gateway_jobs{state="done"} 8');
});

test('where jobs cannot be counted, transactions are told all the same, and the count is not tried again at once', async () => {
  const { store, scrape } = countingStore(5_000, () => {
    throw new Error('timeout');
  });
  expect(await scrape()).toEqual(transactions);
  expect(await scrape()).toEqual(transactions);
  expect(store.counts).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  await scrape();
  expect(store.counts).toBe(2);
});
