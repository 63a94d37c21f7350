import { setTimeout as wait } from 'node:timers/promises';

/**
 * Takes a step that writes to the job store. Resolves when it was tried: nobody waits longer for what is only recorded. Where it
 * fails it is taken again, because a job that runs in the store keeps its key for as long as its process lives; `finished`
 * resolves once it has succeeded, or never will.
 */
export async function persist(step: () => Promise<void>): Promise<{ readonly finished: Promise<void> }> {
  try {
    return { finished: Promise.resolve(await step()) };
  } catch {
    return { finished: repeat(step) };
  }
}

const repeatMs = 1_000;
const maxRepeatMs = 30_000;

/** For about as long as anybody may ask for the job. */
const maxRepeats = 3_000;

/** Never rejects: whoever starts next finds the job as it was recorded last. */
async function repeat(step: () => Promise<void>): Promise<void> {
  for (let left = maxRepeats, waitMs = repeatMs; left > 0; left -= 1) {
    await wait(waitMs, undefined, { ref: false });
    waitMs = Math.min(maxRepeatMs, 2 * waitMs);
    const isDone = await step().then(
      () => true,
      () => false,
    );
    if (isDone) return;
  }
}
