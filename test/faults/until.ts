import { setTimeout as pause } from 'node:timers/promises';

/** Waits until a value is as wanted, for at most `ms`; gives the last one, for the assertion to judge. */
export async function until<T>(read: () => T | Promise<T>, isWanted: (value: T) => boolean, ms = 60_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await read();
    if (isWanted(value) || performance.now() > end) return value;
    await pause(5);
  }
}
