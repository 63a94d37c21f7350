import { GatewayError } from '../domain/gateway-error.ts';

/** Why we end a generation ourselves; `cancelled`: its client has asked for that. */
export type Interruption = 'deadline' | 'client gone' | 'shutdown' | 'cancelled';

/** What is known at that moment: whether a call may be billed, and whether one was made at all. */
type Known = { readonly isOpen: boolean; readonly isTried: boolean };

/**
 * What it means for a caller that we ended its generation. Before the first byte of a paid call was sent nothing has
 * happened; afterwards the image may have been made, whatever the reason was.
 */
export function interruptionError(why: Interruption, { isOpen, isTried }: Known): GatewayError {
  if (why === 'client gone') return new GatewayError('client_gone', 'The caller has left.');
  if (why === 'cancelled') return jobCancelled();
  const [kind, message] = (isOpen ? afterSending : isTried ? afterTrying : beforeSending)[why];
  return new GatewayError(kind, message, { outcome: isOpen ? 'unknown' : 'not-processed' });
}

export function jobCancelled(): GatewayError {
  return new GatewayError('job_cancelled', 'The job was cancelled by its client.');
}

/** For a request that comes when no new one is taken any more. */
export function shuttingDown(): GatewayError {
  const message = 'The gateway is shutting down. Nothing was sent to the image service.';
  return new GatewayError('overloaded', message, { retryAfterMs: 1_000 });
}

/** For a reader that cannot wait any longer for a job that goes on. */
export function stillRunning(): GatewayError {
  const message = 'A request with this Idempotency-Key is still running. Send it again to get its response.';
  return new GatewayError('idempotency_in_flight', message, { retryAfterMs: 2_000 });
}

/** What a reader learns when its job goes on elsewhere: the gateway stops, and whoever takes the job over follows it. */
export function parkedError({ isKeyed, isBackground }: { isKeyed: boolean; isBackground: boolean }): GatewayError {
  if (isBackground) return new GatewayError('job_not_completed', 'The job goes on without this connection.');
  return isKeyed ? stillRunning() : interruptionError('shutdown', { isOpen: true, isTried: true });
}

const nothing = 'Nothing was sent to the image service and nothing was billed.';
const maybe = 'The image may still be made and billed; it was not retried.';

const beforeSending = {
  deadline: ['deadline_exceeded', `The image service could not be asked within the deadline. ${nothing}`],
  shutdown: ['overloaded', `The gateway is shutting down. ${nothing}`],
} as const;

const afterTrying = {
  deadline: ['deadline_exceeded', 'The image service took no request within the deadline. Nothing was billed.'],
  shutdown: ['overloaded', 'The gateway is shutting down. Nothing was billed.'],
} as const;

const afterSending = {
  deadline: ['upstream_timeout', `The image service did not finish within the deadline. ${maybe}`],
  shutdown: ['upstream_outcome_unknown', `The gateway had to stop before the image service finished. ${maybe}`],
} as const;

/** Made once: every generation ends with it, nobody sees it, and an error's stack costs more than the rest of the end. */
export const hasEnded = new GatewayError('internal_error', 'The generation has ended.');
