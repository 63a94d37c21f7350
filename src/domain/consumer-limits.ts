/** How much of a limit is used. */
export type Usage = {
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends and everything is there again, in milliseconds; 0 before its first use. */
  readonly resetMs: number;
};

/** Images that were taken from the quota of a consumer. */
export type QuotaReservation = {
  /** Rejects with `rate_limited` when the quota has not so many images left. */
  readonly granted: Promise<void>;
  /** Puts the images back: nothing was sent for them. */
  refund(): void;
  /** What is left after this reservation, and after its refund; `undefined` until that is known. */
  usage(): Usage | undefined;
};

/** One of the generations that a consumer may run at once. */
export type RunningPermit = {
  /** Rejects with `rate_limited` when other gateways run too many; `undefined`: it is granted. */
  readonly granted: Promise<void> | undefined;
  /** To be called once. */
  release(): void;
};

/** What a consumer may use for generations. */
export interface ConsumerLimits {
  /** Takes one of the generations that may run at once. Throws `rate_limited`. */
  acquire(): RunningPermit;
  /** Takes images of the quota; `undefined`: there is none. Throws `invalid_value` for more than it can ever hold. */
  reserveImages(count: number): QuotaReservation | undefined;
}
