/**
 * Starts tasks in order, at most `limit` at a time, and gives a promise for each. When one fails, no further task is
 * started, and the promises of those reject with the same reason; unless `goOn` is set.
 */
export function startBounded<T>(
  tasks: readonly (() => Promise<T>)[],
  { limit, goOn }: { readonly limit: number; readonly goOn: boolean },
): Promise<T>[] {
  const slots = tasks.map(() => Promise.withResolvers<T>());
  // Whoever waits for an earlier one may never look at this one.
  for (const { promise } of slots) promise.catch(() => {});
  let next = 0;
  let failure: { readonly reason: unknown } | undefined;

  async function work(): Promise<void> {
    while (next < tasks.length) {
      const index = next++;
      const slot = slots[index];
      if (failure) {
        slot?.reject(failure.reason);
        continue;
      }
      try {
        slot?.resolve(await (tasks[index] as () => Promise<T>)());
      } catch (reason) {
        if (!goOn) failure ??= { reason };
        slot?.reject(reason);
      }
    }
  }

  for (let worker = 0; worker < Math.min(limit, tasks.length); worker += 1) void work();
  return slots.map(({ promise }) => promise);
}
