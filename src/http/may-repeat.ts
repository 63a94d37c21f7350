import type { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReport } from '../domain/generation-reader.ts';
import { repeatAfter } from '../targets/outcome.ts';

/** What a request has cost so far. */
export type Spent = Pick<GenerationReport, 'sent' | 'maxRetries' | 'attempts'>;

/** Some SDKs take a longer wait for no wait at all, and ask again at once. */
const maxWaitMs = 60_000;

/**
 * Whether a caller's client may repeat a failed request by itself (RELIABILITY §3.4): never where an image may have been
 * made, nor where the gateway has repeated it already, nor where a repetition cannot help.
 */
export function mayRepeat(error: GatewayError, spent: Spent | undefined): boolean {
  const { kind, outcome, retryAfterMs = 0 } = error;
  if (retryAfterMs > maxWaitMs) return false;
  if (outcome === undefined || kind === 'deadline_exceeded' || kind === 'overloaded') return spent?.sent !== true;
  if (outcome !== 'not-processed' || repeatAfter(error) === 'elsewhere') return false;
  // Another call of the same request may have made its images.
  return spent?.maxRetries === 0 && spent.attempts <= 1;
}
