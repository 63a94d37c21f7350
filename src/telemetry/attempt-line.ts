import type { AttemptRecord } from '../domain/recorder.ts';
import { billFacts } from './bill-facts.ts';
import { errorFacts, operatorHint } from './wide-record.ts';

/**
 * How loud a paid call is in the log: a step of a request is there for debugging, but what its operator has to mend must
 * be seen although another target served the request.
 */
export function attemptLevel({ error }: AttemptRecord): 'debug' | 'warn' {
  return error && operatorHint(error) !== undefined ? 'warn' : 'debug';
}

/** The log line of one paid call. */
export function attemptLine(attempt: AttemptRecord): Record<string, unknown> {
  const { end, queueMs, upstreamMs, bill, error, request, ...facts } = attempt;
  return {
    ...facts,
    ...(error && { error: errorFacts(error, request) }),
    outcome: end,
    queueMs: Math.round(queueMs),
    upstreamMs: Math.round(upstreamMs),
    ...billFacts(bill),
  };
}
