import { pause } from './pause.ts';

/**
 * Makes one run of a task serve all who ask for it meanwhile. What it returns resolves after a run that has begun since the
 * call, so its result is never older than the question; runs begin at most every so many milliseconds.
 *
 * @param signal ends the waiting for the next run, which begins at once then
 */
export function shareRuns(task: () => Promise<void>, everyMs: number, signal: AbortSignal): () => Promise<void> {
  let current: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let mayBeginAt = Number.NEGATIVE_INFINITY;

  const begin = async () => {
    await current.catch(() => {});
    const waitMs = mayBeginAt - performance.now();
    if (waitMs > 0) await pause(waitMs, signal).catch(() => {});
    mayBeginAt = performance.now() + everyMs;
    next = undefined;
    current = task();
    await current;
  };

  return () => {
    next ??= begin();
    return next;
  };
}
