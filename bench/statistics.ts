/** The middle of several rounds, and how far they lie apart. */
export type Spread = { readonly median: number; readonly low: number; readonly high: number };

/** What the rounds of one figure gave. Throws without a round. */
export function spreadOf(rounds: readonly number[]): Spread {
  return { median: percentile(rounds, 50), low: Math.min(...rounds), high: Math.max(...rounds) };
}

/** The nearest-rank percentile, `rank` from 0 to 100; of an even number of values the 50th lies between the middle two. */
export function percentile(values: readonly number[], rank: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (index: number) => sorted[Math.min(sorted.length - 1, Math.max(0, index))];
  const found =
    rank === 50 && sorted.length % 2 === 0
      ? ((at(sorted.length / 2 - 1) ?? Number.NaN) + (at(sorted.length / 2) ?? Number.NaN)) / 2
      : at(Math.ceil((rank / 100) * sorted.length) - 1);
  if (found === undefined || Number.isNaN(found)) throw new Error('there is nothing to take a percentile of');
  return found;
}
