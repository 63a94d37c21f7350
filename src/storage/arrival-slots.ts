/**
 * Lets a bounded number of tasks run at once; the others wait their turn. Pictures that wait are held back at their
 * upstreams: more of them at a time would not make the disk faster, but cost memory for each.
 */
export function createArrivalSlots(count: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = count;

  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
