/** How long the gateway waits for what, in milliseconds. Shortened in tests. */
export type GatewayTimes = {
  /** A generation whose client has disconnected runs on for so long, so that the client's own retry can rejoin it. */
  readonly lingerMs: number;
  /** The longest that a request waits in a queue. */
  readonly queueMs: number;
  /** The wait before the first retry is random below this; it doubles with each further one. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** A longer wait for a target is told to the caller instead. */
  readonly maxWaitMs: number;
  /** So much of the deadline must be left after a wait. */
  readonly minLeftMs: number;
  /** A target that failed too often is left alone for so long, at the first time. */
  readonly breakerOpenMs: number;
  readonly maxBreakerOpenMs: number;
  /** A target that asks for a longer wait is tried again after this one. */
  readonly maxCoolDownMs: number;
};

/** The defaults. */
export const defaultTimes: GatewayTimes = {
  lingerMs: 15_000,
  queueMs: 15_000,
  backoffMs: 500,
  maxBackoffMs: 8_000,
  maxWaitMs: 60_000,
  minLeftMs: 30_000,
  breakerOpenMs: 30_000,
  maxBreakerOpenMs: 300_000,
  maxCoolDownMs: 300_000,
};
