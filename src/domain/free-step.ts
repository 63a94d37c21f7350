import type { GatewayError } from './gateway-error.ts';
import { pause } from './pause.ts';

const firstPauseMs = 200;
const longestPauseMs = 5_000;

/** No upstream makes a free step wait longer than this. */
const longestHintMs = 30_000;

/** How a step that costs nothing is retried, because what it is for is paid. */
export type Retrying = {
  readonly signal: AbortSignal;
  /** When the last try may begin, as of `performance.now()`: shortly before the request's deadline. */
  readonly until: number;
};

/**
 * Waits before a free step is retried: longer after each failure, and never shorter than the upstream asks for. Rejects
 * with the failure when that leaves no time for another try.
 */
export async function pauseBeforeRetry(
  failure: GatewayError,
  {
    signal,
    until,
    failures,
    hintMs = 0,
  }: Retrying & { readonly failures: number; readonly hintMs?: number | undefined },
): Promise<void> {
  const backoffMs = Math.min(longestPauseMs, firstPauseMs * 2 ** failures) * (0.5 + Math.random() / 2);
  const waitMs = Math.max(backoffMs, Math.min(longestHintMs, hintMs));
  if (performance.now() + waitMs >= until) throw failure;
  await pause(waitMs, signal);
}
