import { hash } from 'node:crypto';
import { type GatewayKey, type KeyHolder, type KeyLimits, noLimits } from '../../../src/domain/key-holder.ts';

type Options = {
  readonly models?: readonly string[];
  readonly limits?: Partial<KeyLimits>;
  /** Further keys, whose time is over. */
  readonly expired?: readonly string[];
};

/** A holder of these keys. */
export function holder(
  name: string,
  keys: readonly string[],
  { models, limits, expired = [] }: Options = {},
): KeyHolder {
  return {
    name,
    keys: [...keys.map((key) => gatewayKey(key)), ...expired.map((key) => gatewayKey(key, 1))],
    models,
    limits: { ...noLimits, ...limits },
  };
}

export function gatewayKey(key: string, expiresAt?: number): GatewayKey {
  return { sha256: hash('sha256', key, 'hex'), expiresAt };
}
