import type { JobStore } from '../domain/job-store.ts';

/**
 * Counts what a job has cost, and then records what becomes of the job: of one that has ended, nobody would count it later. A
 * store that keeps the order gets both in one moment, and so in one transaction: whoever asks next finds the job ended. What is
 * recorded does not depend on whether the cost could be counted, because a client may wait for it; then the returned promise
 * rejects, and both are repeated.
 */
export async function settleFirst(
  { keepsOrder = false }: Pick<JobStore, 'keepsOrder'>,
  settle: () => Promise<void>,
  record: () => Promise<void>,
): Promise<void> {
  const settled = settle();
  if (!keepsOrder) await settled.catch(() => {});
  await Promise.all([settled, record()]);
}
