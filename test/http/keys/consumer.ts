import { hash } from 'node:crypto';
import { type Consumer, type GatewayKey, type KeyLimits, noLimits } from '../../../src/domain/consumer.ts';

type Options = {
  readonly models?: readonly string[];
  readonly limits?: Partial<KeyLimits>;
  /** Further keys, whose time is over. */
  readonly expired?: readonly string[];
};

/** A consumer of these keys. */
export function consumer(
  name: string,
  keys: readonly string[],
  { models, limits, expired = [] }: Options = {},
): Consumer {
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
