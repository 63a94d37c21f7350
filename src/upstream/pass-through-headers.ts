import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../domain/gateway-error.ts';

/** The headers of a client that Azure gets; the credential is never among them. */
const forwarded: readonly string[] = ['accept', 'content-type', 'openai-beta'];

/** The headers of Azure that a client gets, beside those about its rate limits. */
const returned: readonly string[] = ['content-type', 'retry-after', 'retry-after-ms', 'openai-processing-ms'];
const rateLimit = /^x-ratelimit-[a-z-]{1,64}$/;

const value = /^[\x20-\x7e]{1,1024}$/;

/**
 * What of a client's headers is sent to Azure. Throws a GatewayError for a body that is compressed, because Azure would not
 * be told, and for a value that no header of ours may have.
 */
export function forwardedHeaders(headers: IncomingHttpHeaders, hasBody: boolean): Record<string, string> {
  if (hasBody && (headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new GatewayError('unsupported_content_type', "The request's body must not be compressed.");
  }
  const length = headers['content-length'];
  return {
    ...Object.fromEntries(forwarded.flatMap((name) => forwardedHeader(name, headers[name]))),
    // Its own length keeps a body from being sent in chunks, which not every front door takes.
    ...(hasBody && length !== undefined && { 'content-length': length }),
  };
}

function forwardedHeader(name: string, given: string | string[] | undefined): [string, string][] {
  if (given === undefined) return [];
  const text = String(given);
  if (value.test(text)) return [[name, text]];
  throw new GatewayError('invalid_value', `The header '${name}' is too long, or not plain text.`, { param: name });
}

/** What of Azure's headers a client gets. A strange value is left out: it must not cost the response. */
export function returnedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const isReturned = ([name, text]: [string, unknown]) =>
    (returned.includes(name) || rateLimit.test(name)) && typeof text === 'string' && value.test(text);
  return Object.fromEntries(Object.entries(headers).filter(isReturned)) as Record<string, string>;
}
