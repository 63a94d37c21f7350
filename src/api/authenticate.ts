import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../domain/gateway-error.ts';
import type { Secret } from '../domain/secret.ts';

/** Who called, as an id that tells keys apart and no key. Throws `invalid_api_key` without one of the gateway's keys. */
export type Authenticate = (headers: IncomingHttpHeaders) => string;

/**
 * Takes the key from `authorization: Bearer`, `api-key` or `x-api-key`; several may be present. Without configured keys
 * everybody is let in: the gateway then listens on loopback only.
 *
 * Keys are compared by a salted hash of the whole key, which is looked up, so that neither the time of the look-up
 * nor that of the comparison tells anything about a key.
 */
export function createAuthenticate(keys: readonly Secret[]): Authenticate {
  const salt = randomBytes(32).toString('base64');
  const digest = (key: string) => hash('sha256', `${salt}${key}`, 'buffer');
  const known = new Map(keys.map((key) => digest(key.expose())).map((hashed) => [hashed.toString('hex'), hashed]));
  const nobody = randomBytes(32);

  const idOf = (key: string): string | undefined => {
    const presented = digest(key);
    const id = presented.toString('hex');
    // The comparison runs on a miss, too, so that both take the same way.
    return timingSafeEqual(presented, known.get(id) ?? nobody) ? id : undefined;
  };

  return (headers) => {
    if (known.size === 0) return 'anybody';
    const presented = presentedKeys(headers);
    const id = presented.map(idOf).find((found) => found !== undefined);
    if (id !== undefined) return id;
    const message =
      presented.length > 0
        ? 'The API key is not valid.'
        : "No API key was given: send it as 'authorization: Bearer KEY', 'api-key: KEY' or 'x-api-key: KEY'.";
    throw new GatewayError('invalid_api_key', message);
  };
}

function presentedKeys(headers: IncomingHttpHeaders): string[] {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  const candidates = [bearer, headers['api-key'], headers['x-api-key']];
  return candidates.filter((key): key is string => typeof key === 'string' && key !== '');
}
