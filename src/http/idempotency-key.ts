import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../domain/gateway-error.ts';

const idempotencyHeader = 'idempotency-key';

/** Whether a request may repeat an earlier one, which needs no permits of its own; whether its key is valid is judged later. */
export function hasIdempotencyKey({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers[idempotencyHeader] !== undefined;
}

const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const printable = /^[\x20-\x7e]{1,255}$/;

/**
 * The `Idempotency-Key` of a request: 1 to 255 printable ASCII characters, bare or as the quoted string of RFC 8941 (3.3.3),
 * which is the same key. `undefined`: it has none. Throws `invalid_value` for a key that is neither, and for several keys.
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export function readIdempotencyKey({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): string | undefined {
  const values = headersDistinct[idempotencyHeader];
  if (values === undefined) return undefined;
  const [value = ''] = values.map((text) => text.trim());
  const inner = quoted.exec(value)?.[1];
  const key = inner === undefined ? value : inner.replace(/\\(["\\])/g, '$1');
  const isOpenQuote = inner === undefined && value.startsWith('"');
  if (values.length === 1 && !isOpenQuote && printable.test(key)) return key;
  const message = "The header 'Idempotency-Key' must be one key of 1 to 255 printable ASCII characters.";
  throw new GatewayError('invalid_value', message, { param: 'Idempotency-Key' });
}
