import { Semaphore } from '../concurrency/semaphore.ts';

/** Runs a task when there is a permit for it; rejects with the signal's reason when that comes first. */
export type InSlot = <T>(task: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/**
 * Lets `count` tasks run at once. Images that wait are held back at their upstreams: more of them at a time would not make
 * the disk faster, but cost memory for each. A task that takes longer than `patienceMs` goes on without its permit: an image
 * that trickles costs little memory, and must not hold up the others.
 */
export function createArrivalSlots(count: number, patienceMs: number): InSlot {
  const semaphore = new Semaphore({ permits: count });
  return async (task, signal) => {
    const release = await semaphore.acquire(signal);
    const timer = setTimeout(release, patienceMs);
    try {
      return await task();
    } finally {
      clearTimeout(timer);
      release();
    }
  };
}
