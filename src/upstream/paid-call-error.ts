import { MalformedJsonError } from '../codec/json-text.ts';
import { OversizedEventError } from '../codec/sse-reader.ts';
import { EgressProxyError } from '../domain/egress-proxy.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { Attempt } from '../domain/image-provider.ts';

/**
 * What a broken paid call means: decided by whether a byte was sent, never by the error's code. A response that is not
 * JSON was paid for, and is of no use; one that is cut leaves open whether an image was made.
 */
export function paidCallError(error: unknown, attempt: Attempt): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!attempt.sent) {
    const way = error instanceof EgressProxyError ? ' through the proxy of the gateway’s network' : '';
    return new GatewayError(
      'upstream_unavailable',
      `The image service could not be reached${way}. Nothing was sent to it and nothing was billed.`,
      { outcome: 'not-processed', cause: error },
    );
  }
  if (error instanceof OversizedEventError) return invalidResponse(error);
  if (error instanceof MalformedJsonError && !error.isCut) return invalidResponse(error);
  return new GatewayError(
    'upstream_outcome_unknown',
    'The connection to the image service broke before its response was complete. The image may have been made and billed; it was not retried.',
    { outcome: 'unknown', cause: error },
  );
}

/** A stream that ended properly, but before its image was complete. */
export function unfinishedStream(): GatewayError {
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service ended its stream before the image was complete. It may have been billed; it was not retried.',
    { outcome: 'unknown' },
  );
}

/** The upstream responded with success, but not with images: paid for, probably, and lost. */
export function invalidResponse(cause: unknown): GatewayError {
  return new GatewayError(
    'upstream_invalid_response',
    'The image service responded, but not with an image. It may have been billed; it was not retried.',
    { outcome: 'unknown', cause, ...(cause instanceof GatewayError && { upstream: cause.upstream, hint: cause.hint }) },
  );
}
