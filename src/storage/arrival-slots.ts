/** Runs a task in its turn; rejects with the signal's reason when that comes first. */
export type InSlot = <T>(task: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/**
 * Lets `count` tasks run at once; others wait for their turn, but no longer than `patienceMs`. Pictures that wait are
 * held back at their upstreams: more of them at a time would not make the disk faster, but cost memory for each. Those
 * that trickle cost little memory, so they may hold the others up for a while only.
 */
export function createArrivalSlots(count: number, patienceMs: number): InSlot {
  const waiting = new Set<() => void>();
  let free = count;

  async function turn(signal: AbortSignal): Promise<void> {
    free -= 1;
    if (free >= 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    const timer = setTimeout(resolve, patienceMs);
    waiting.add(resolve);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    await promise.finally(() => {
      clearTimeout(timer);
      waiting.delete(resolve);
      signal.removeEventListener('abort', abort);
    });
  }

  return async (task, signal) => {
    try {
      await turn(signal);
      return await task();
    } finally {
      free += 1;
      const [next] = waiting;
      next?.();
    }
  };
}
