import { expect } from 'vitest';
import { legsOf, type Mode } from './modes.ts';
import type { Observed } from './observe.ts';
import type { Expected } from './table/expected.ts';
import { until } from './until.ts';

/** Of the default configuration. */
const maxRetries = 2;

type Counts = {
  readonly received: number;
  readonly accepted: number;
  readonly ends: Observed['metrics']['ends'];
};

/** What the upstreams have counted together, and what the gateway has counted about them. */
export function countsOf({ upstreams, metrics }: Observed): Counts {
  const received = upstreams.reduce((sum, one) => sum + one.received, 0);
  const accepted = upstreams.reduce((sum, one) => sum + one.accepted, 0);
  return { received, accepted, ends: metrics.ends };
}

/** A job that is given up is ended, and no other one; what has ended is not requested. */
export async function expectJobs({ upstreams }: Observed, { polls, cancels = 0 }: Expected): Promise<void> {
  const count = (kind: 'polls' | 'cancels') => upstreams.reduce((sum, one) => sum + one[kind], 0);
  expect(
    await until(
      () => count('cancels'),
      (seen) => seen === cancels,
    ),
  ).toBe(cancels);
  if (polls !== undefined) expect(count('polls')).toBe(polls);
}

/** The gateway's counts are the upstream's: nothing is sent without being counted, nothing billed and forgotten. */
export function expectLedger(observed: Observed, reported: Expected, mode: Mode): void {
  const counts = countsOf(observed);
  const legs = legsOf(mode);
  if (legs === 1 || reported.ends !== undefined) expectExactly(counts, reported);
  else if (reported.status === 200)
    expectExactly(counts, { ...reported, attempts: legs, received: legs, accepted: legs });
  else expectFailedFanOut(counts, reported, legs);
  expectNothingForgotten(counts);
}

export function expectNothingForgotten({ received, accepted, ends }: Counts): void {
  const { delivered = 0, unknown = 0, truncated = 0, abandoned = 0 } = ends;
  expect(accepted).toBeLessThanOrEqual(delivered + unknown + truncated + abandoned);
  expect(received).toBeLessThanOrEqual(sumOf(ends));
}

function expectExactly(counts: Counts, reported: Expected): void {
  const { received, accepted, ends = { [reported.end]: reported.attempts } } = reported;
  expect(counts).toEqual({ received, accepted, ends });
}

/** Of several calls at once, the first that fails for good ends the others wherever they are. */
function expectFailedFanOut({ accepted, ends }: Counts, reported: Expected, legs: number): void {
  expect(ends[reported.end]).toBeGreaterThan(0);
  const others = Object.keys(ends).filter((end) => ![reported.end, 'abandoned', 'not-processed'].includes(end));
  expect(others).toEqual([]);
  expect(sumOf(ends)).toBeLessThanOrEqual(legs + (reported.attempts > 1 ? maxRetries : 0));
  expect(accepted).toBeLessThanOrEqual(reported.accepted * legs);
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);
