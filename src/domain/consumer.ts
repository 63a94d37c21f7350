import { hash } from 'node:crypto';
import type { Budget } from './budget.ts';

/** Somebody who may call, with the keys that show it; several keys are one consumer. */
export type Consumer = {
  /** For logs, metrics and limits; no secret. */
  readonly name: string;
  readonly keys: readonly GatewayKey[];
  /** The logical models that it may use; `undefined`: all. */
  readonly models: readonly string[] | undefined;
  readonly limits: KeyLimits;
  /** `undefined`: it may spend as much as it likes. */
  readonly budget?: Budget | undefined;
  /** It may see what all consumers have spent, and the state of the targets. */
  readonly isAdmin?: boolean;
};

/** A key, of which the gateway knows the hash alone. */
export type GatewayKey = {
  /** SHA-256 of the whole key, as 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  /** From then on it is not valid any more, in milliseconds since 1970; `undefined`: it always is. */
  readonly expiresAt: number | undefined;
};

/** The hash by which the gateway knows a key. */
export function hashOfKey(key: string): GatewayKey['sha256'] {
  return hash('sha256', key, 'hex');
}

/** @param now in milliseconds since 1970 */
export function isExpired({ expiresAt = Number.POSITIVE_INFINITY }: GatewayKey, now: number): boolean {
  return now >= expiresAt;
}

/** What one consumer may use; `undefined`: as much as it likes. */
export type KeyLimits = {
  /** Requests for images in one window. */
  readonly requests: number | undefined;
  /** Images that are asked for in one window. */
  readonly images: number | undefined;
  /** How long a window lasts, in milliseconds. */
  readonly windowMs: number;
  /** Requests for images at once. */
  readonly concurrent: number | undefined;
};

/** Nothing is limited. */
export const noLimits: KeyLimits = {
  requests: undefined,
  images: undefined,
  windowMs: 60_000,
  concurrent: undefined,
};
