import { GatewayError } from '../domain/gateway-error.ts';
import type { Attempt } from '../domain/image-provider.ts';

/**
 * What a failure means when our own signal ended the call. Before the first byte was sent it is the signal's reason;
 * afterwards the picture may have been made, whatever the reason was.
 */
export function afterInterruption(reason: GatewayError, attempt: Attempt): GatewayError {
  if (!attempt.sent || reason.kind === 'client_gone') return reason;
  if (reason.kind === 'deadline_exceeded') {
    return new GatewayError(
      'upstream_timeout',
      'The image service did not finish within the deadline. The picture may still be made and billed; it was not asked for again.',
      { outcome: 'unknown', cause: reason },
    );
  }
  return new GatewayError(
    'upstream_outcome_unknown',
    'The gateway had to stop before the image service finished. The picture may have been made and billed.',
    { outcome: 'unknown', cause: reason },
  );
}
