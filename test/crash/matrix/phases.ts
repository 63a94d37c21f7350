/** Where a gateway under test can be stopped, in the order in which a call passes them. */
export const phases = [
  'claimed',
  'dispatching',
  'dispatched',
  'handle received',
  'handle noted',
  'orphaned',
  'image received',
  'image written',
  'renamed',
  'finished',
] as const;

export type Phase = (typeof phases)[number];

/** How the stores of a gateway under test differ from the usual ones. */
export type StoreOptions = {
  readonly lease?: { readonly validMs: number; readonly renewEveryMs: number };
  /** Azure's minute is shorter. */
  readonly quotas?: { readonly windowMs: number; readonly marginMs: number; readonly pollMs: number };
  /** The database cannot grow beyond so many pages. */
  readonly maxPages?: number;
  /** What the disk of the images seems to have left. */
  readonly freeBytes?: number;
  /** How far the wall clock is off. */
  readonly clockOffsetMs?: number;
  /** So much longer each write of a job takes. */
  readonly delayMs?: number;
  /** The first so many tries to record an end fail. */
  readonly failedFinishes?: number;
};

/** What the test tells the gateway: where to stop from now on, or to go on wherever it has stopped. */
export type Order = { readonly stopAt: Phase | undefined } | 'go on';

/** What the gateway tells the test. */
export type Report = { readonly url: string } | 'obeyed' | { readonly reached: Phase };
