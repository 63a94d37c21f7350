import { hashOfKey, type KeyHolder, noLimits } from '../domain/key-holder.ts';
import type { Secret } from '../domain/secret.ts';

/** Keys without a word about them: each is a caller of its own that may do anything, named after its place. */
export function holdersOf(keys: readonly Secret[]): KeyHolder[] {
  const hashes = new Set(keys.map((key) => hashOfKey(key.expose())));
  return [...hashes].map((sha256, index) => ({
    // No caller of the keys file can have such a name.
    name: `GATEWAY_API_KEYS#${index + 1}`,
    keys: [{ sha256, expiresAt: undefined }],
    models: undefined,
    limits: noLimits,
  }));
}
