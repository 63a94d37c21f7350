const shortestMs = 250;
const maxMs = 1_750;

/** No hint makes us poll more often than this, or sleep longer. */
const hintLimits = { shortestMs: 100, maxMs: 30_000 };

/**
 * How long to wait before the next poll, in ms. What the upstream asks for decides, within limits; without it, half of
 * the time that has passed since the submit, so that a result is noticed soon relative to its duration without hammering,
 * give or take 5 % so that many operations do not poll in step. `random` is in [0, 1).
 */
export function pollPause({
  elapsedMs,
  hintMs,
  random,
}: {
  elapsedMs: number;
  hintMs: number | undefined;
  random: number;
}): number {
  if (hintMs !== undefined) return Math.min(hintLimits.maxMs, Math.max(hintLimits.shortestMs, hintMs));
  const pause = Math.min(maxMs, Math.max(shortestMs, elapsedMs / 2));
  return pause * (0.95 + random / 10);
}
