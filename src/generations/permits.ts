/**
 * What a generation holds from its start until it is settled, whoever is connected: its place and its memory in the process,
 * its part of the consumer's requests at once, and the images of its quota.
 */
export type Permits = {
  /** Rejects with `rate_limited` when the quota has not so many images left; `undefined`: there is none. */
  readonly granted: Promise<void> | undefined;
  /** Called once. @param isSent whether a paid call may have been sent; else its images count no longer */
  release(isSent: boolean): void;
};
