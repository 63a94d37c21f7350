import { EgressProxyError } from '../domain/egress-proxy.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { PassThroughRequest } from '../domain/pass-through.ts';

type Broken = Pick<PassThroughRequest, 'method' | 'call'>;

/** What a forwarded request has come to that broke: what may have been billed depends on whether a byte of it was sent. */
export function brokenForward(error: unknown, { method, call }: Broken): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!call.sent) {
    const way = error instanceof EgressProxyError ? ' through the proxy of the gateway’s network' : '';
    return new GatewayError(
      'upstream_unavailable',
      `Azure could not be reached${way}. Nothing was sent to it and nothing was billed.`,
      { outcome: 'not-processed', cause: error },
    );
  }
  if (method !== 'POST') {
    const message = 'The connection to Azure broke. The request costs nothing, and can be sent again.';
    return new GatewayError('upstream_unavailable', message, { cause: error });
  }
  const reason = isSilence(error) ? 'Azure was silent for too long.' : 'The connection to Azure broke.';
  return new GatewayError(
    isSilence(error) ? 'upstream_timeout' : 'upstream_outcome_unknown',
    `${reason} The request may have been carried out and billed; it was not retried.`,
    { outcome: 'unknown', cause: error },
  );
}

function isSilence(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT';
}
