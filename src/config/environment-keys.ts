import { type Consumer, hashOfKey, noLimits } from '../domain/consumer.ts';
import type { Secret } from '../domain/secret.ts';

/** Keys without a word about them: each is a caller of its own that may do anything, named after its hash. */
export function consumersOf(keys: readonly Secret[]): Consumer[] {
  const hashes = new Set(keys.map((key) => hashOfKey(key.expose())));
  return [...hashes].map((sha256) => ({
    // A name by position would pass to another key when an earlier one is removed. No caller of the keys file can have it.
    name: `GATEWAY_API_KEYS#${sha256.slice(0, 8)}`,
    keys: [{ sha256, expiresAt: undefined }],
    models: undefined,
    limits: noLimits,
  }));
}
