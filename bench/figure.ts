import type { Spread } from './statistics.ts';

/**
 * Who is measured, in the order of the table's columns. `memory`: this gateway without a record on the disk; `kept`: this gateway
 * with an `Idempotency-Key` for each request.
 */
export const columns = ['direct', 'nginx', 'floor', 'peer', 'before', 'memory', 'gateway', 'kept'] as const;

export type Column = (typeof columns)[number];

/** `must`: without it the work is not done; `aim`: what we try for. */
export type Goal = {
  readonly level: 'must' | 'aim';
  readonly text: string;
  /** `undefined`: there was nothing to compare with. */
  readonly holds: boolean | undefined;
};

/** One line of the result. */
export type Figure = {
  readonly part: string;
  readonly name: string;
  readonly unit: string;
  readonly values: Partial<Readonly<Record<Column, Spread>>>;
  readonly goals: readonly Goal[];
};

/** A limit for the gateway's median. */
export function atMost(level: Goal['level'], value: Spread | undefined, limit: number): Goal {
  return { level, text: `≤ ${limit}`, holds: value && value.median <= limit };
}

/** A limit for the gateway's median, as a multiple of another one's. */
export function timesOther(
  level: Goal['level'],
  values: Figure['values'],
  other: Exclude<Column, 'gateway'>,
  factor: number,
): Goal {
  const [ours, theirs] = [values.gateway, values[other]];
  const multiple = factor < 1 ? `1/${Math.round(1 / factor)}` : `${factor} ×`;
  const ratio = ours && theirs && ours.median / theirs.median;
  const found = ratio === undefined ? 'not present' : `is ${ratio.toPrecision(2)}`;
  return { level, text: `≤ ${multiple} ${other} (${found})`, holds: ratio === undefined ? undefined : ratio <= factor };
}
