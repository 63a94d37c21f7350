import { Semaphore } from './semaphore.ts';

const never = new AbortController().signal;

/**
 * Starts tasks in order, at most `limit` at a time, and gives a promise for each. When one fails, no further task is
 * started, and the promises of those reject with the same reason; unless `goOn` is set.
 */
export function startBounded<T>(
  tasks: readonly (() => Promise<T>)[],
  { limit, goOn }: { readonly limit: number; readonly goOn: boolean },
): Promise<T>[] {
  const semaphore = new Semaphore({ permits: limit });
  let failure: { readonly reason: unknown } | undefined;

  async function run(task: () => Promise<T>): Promise<T> {
    const release = await semaphore.acquire(never);
    try {
      if (failure) throw failure.reason;
      return await task();
    } catch (reason) {
      if (!goOn) failure ??= { reason };
      throw reason;
    } finally {
      release();
    }
  }

  const results = tasks.map(run);
  // Whoever waits for an earlier one may never look at this one.
  for (const result of results) result.catch(() => {});
  return results;
}
