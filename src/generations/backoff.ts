import type { GatewayTimes } from '../targets/times.ts';

/** The wait before a retry that nobody said anything about: full jitter. `failures` counts from 0, `random` is in [0, 1). */
export function backoffMs(failures: number, { backoffMs: base, maxBackoffMs }: GatewayTimes, random: number): number {
  return random * Math.min(maxBackoffMs, base * 2 ** failures);
}

/** A wait that an upstream asked for: never shorter, and a little longer, so that not all come back at once. */
export function withJitter(hintMs: number, random: number): number {
  return hintMs + random * Math.min(1_000, hintMs / 10);
}
