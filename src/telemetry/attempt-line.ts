import type { AttemptRecord } from '../domain/recorder.ts';
import { billFacts } from './bill-facts.ts';

/** The log line of one paid call: a step of a request, for debugging. */
export function attemptLine({ end, queueMs, upstreamMs, bill, ...facts }: AttemptRecord): Record<string, unknown> {
  return {
    ...facts,
    outcome: end,
    queueMs: Math.round(queueMs),
    upstreamMs: Math.round(upstreamMs),
    ...billFacts(bill),
  };
}
