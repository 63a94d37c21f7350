import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

/** A clock for one task that waits for one thing at a time: waiting costs nothing, and moves the clock. */
export class VirtualClock {
  now = 0;

  /** Runs `work` in a world in which `performance.now` and the waits of node:timers/promises go by this clock. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const wait = timers.setTimeout;
    performance.now = () => this.now;
    timers.setTimeout = (async (ms: number) => {
      this.now += ms;
    }) as typeof wait;
    syncBuiltinESMExports();
    try {
      return await work();
    } finally {
      Reflect.deleteProperty(performance, 'now');
      timers.setTimeout = wait;
      syncBuiltinESMExports();
    }
  }
}
