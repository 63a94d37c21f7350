import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../domain/gateway-error.ts';
import type { KeyAccount } from './keys/key-account.ts';
import type { KeyStore } from './keys/key-store.ts';

/**
 * Who called, by the key in `authorization: Bearer`, `api-key` or `x-api-key`; several may be present, and one must be
 * valid. `undefined`: the ring lets everybody in. Throws `invalid_api_key`.
 */
export function authenticate(ring: KeyStore, headers: IncomingHttpHeaders): KeyAccount | undefined {
  if (ring.isOpen) return undefined;
  const presented = presentedKeys(headers);
  const found = presented.map((key) => ring.find(key)).filter((entry) => entry !== undefined);
  const valid = found.find(({ isExpired }) => !isExpired);
  if (valid !== undefined) return valid.account;
  throw new GatewayError('invalid_api_key', found.length > 0 ? expired : presented.length > 0 ? wrong : missing);
}

const expired = 'The API key has expired.';
const wrong = 'The API key is not valid.';
const missing = "No API key was given: send it as 'authorization: Bearer KEY', 'api-key: KEY' or 'x-api-key: KEY'.";

function presentedKeys(headers: IncomingHttpHeaders): string[] {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  const candidates = [bearer, headers['api-key'], headers['x-api-key']];
  return candidates.filter((key): key is string => typeof key === 'string' && key !== '');
}
