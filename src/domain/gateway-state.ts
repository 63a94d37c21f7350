import type { ImageStoreUsage } from './image-store.ts';
import type { Retirement } from './retirement.ts';

/** What the gateway is doing at the moment, for metrics. */
export type GatewayState = {
  /** Requests for images that are worked on, those without a caller among them. */
  readonly generations: number;
  /** Those whose client has disconnected, and that a retry may rejoin. */
  readonly orphans: number;
  /** Requests that wait for a permit of the process. */
  readonly waiting: number;
  /** Bytes of memory that are set aside for requests. */
  readonly heldBytes: number;
  /** What is stored. */
  readonly images: ImageStoreUsage;
  readonly targets: readonly TargetState[];
  readonly quotas: readonly QuotaState[];
};

export type QuotaState = {
  readonly pool: string;
  /** Calls of this process that wait for their turn. */
  readonly waiting: number;
};

export const breakerStates = ['closed', 'open', 'half-open'] as const;

export type BreakerState = (typeof breakerStates)[number];

export type TargetState = {
  /** The logical model. */
  readonly model: string;
  readonly target: string;
  /** Calls that hold a permit, and calls that wait for one. */
  readonly calls: number;
  readonly waiting: number;
  readonly breaker: BreakerState;
  /** How long it is still left alone, because it has asked for that; `undefined`: it has not. */
  readonly coolDownMs: number | undefined;
  /** When its model ends, where that is known. */
  readonly retirement: Retirement | undefined;
  /** Whether it is tried after all others, because its model is retired or another target has replaced it. */
  readonly hasEnded: boolean;
};
