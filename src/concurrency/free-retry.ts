import type { GatewayError } from '../domain/gateway-error.ts';
import type { Retrying } from '../domain/retrying.ts';
import { pause } from './pause.ts';

const firstPauseMs = 200;
const maxPauseMs = 5_000;

/** An upstream's hint counts up to this. */
const maxHintMs = 30_000;

/**
 * Waits before a step that costs nothing is retried: longer after each failure, and no shorter than the upstream's hint.
 * Rejects with the failure when no time is left for another try.
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
  const backoffMs = Math.min(maxPauseMs, firstPauseMs * 2 ** failures) * (0.5 + Math.random() / 2);
  const waitMs = Math.max(backoffMs, Math.min(maxHintMs, hintMs));
  if (performance.now() + waitMs >= until) throw failure;
  await pause(waitMs, signal);
}
