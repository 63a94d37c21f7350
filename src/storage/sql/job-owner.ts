/** This process among those that share a job store. Whatever it writes, it writes as a registered owner. */
export interface JobOwner {
  /** Another one when others have taken this process for dead. */
  readonly id: string;
  /** Milliseconds that look like Unix time, on a clock that all of them share and that nobody sets. */
  now(): number;
  /** Goes on under another id, because the jobs of `id` belong to others. */
  registerAgain(id: string): Promise<void>;
  /** Removes the processes that have died: their jobs have no owner then. */
  buryDead(): Promise<void>;
  /**
   * Whether another process lives. Where that cannot be seen at once, it resolves when its lease was renewed, or has run out; a
   * dead one is removed then.
   */
  isLiving(id: string): Promise<boolean>;
  /** Whether no other process uses the store, as far as that can be seen at once. */
  isSole(): Promise<boolean>;
  leave(): Promise<void>;
}

/** How long others believe that a process lives, and how often it says so, in milliseconds. */
export type LeaseTimes = {
  readonly validMs: number;
  readonly renewEveryMs: number;
  /** How long a process must have been there before it removes others; by default, as long as a lease is valid. */
  readonly graceMs?: number;
};

export const defaultLease: LeaseTimes = { validMs: 8_000, renewEveryMs: 2_000 };
