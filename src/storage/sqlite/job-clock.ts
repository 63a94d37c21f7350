import { readFileSync } from 'node:fs';

/** What the clock showed at one moment. */
export type ClockReading = {
  /** Names the start of the machine, since which the monotonic clock counts; empty where the system does not tell. */
  readonly boot: string;
  readonly monotonic: number;
  readonly time: number;
};

/** Milliseconds of the monotonic clock, which all processes of a machine share. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

export function readBootId(path = '/proc/sys/kernel/random/boot_id'): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

/**
 * Tells how much time has passed, also across restarts, in milliseconds that look like Unix time. It does not follow the wall
 * clock when that is set: a jump must not expire what was kept a moment ago.
 */
export class JobClock {
  readonly #boot: string;
  readonly #offset: number;

  /** @param stored what the clock showed last, before a restart of the process or of the machine */
  constructor(stored: ClockReading | undefined, boot: string, wall: number) {
    const time = stored === undefined ? wall : resume(stored, boot, wall);
    this.#boot = boot;
    this.#offset = Math.floor(time) - monotonicNow();
  }

  now(): number {
    return this.#offset + monotonicNow();
  }

  read(): ClockReading {
    const monotonic = monotonicNow();
    return { boot: this.#boot, monotonic, time: this.#offset + monotonic };
  }
}

function resume(stored: ClockReading, boot: string, wall: number): number {
  const elapsed = monotonicNow() - stored.monotonic;
  if (boot !== '' && boot === stored.boot && elapsed >= 0) return stored.time + elapsed;
  // For how long the machine was off, only the wall clock knows.
  return Math.max(wall, stored.time);
}
