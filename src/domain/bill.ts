import type { Cost } from './cost.ts';

/** What an upstream has counted of one call, or of several. */
export type Tokens = {
  readonly textIn: number;
  readonly imageIn: number;
  /** Those among the two above that had been read before. */
  readonly cachedIn: number;
  readonly textOut: number;
  readonly imageOut: number;
};

/** What paid calls have cost, as far as that can be known. */
export type Bill = {
  /** `undefined`: images were made, and their price is not known. */
  readonly cost: Cost | undefined;
  /** Missing where no target has a price. */
  readonly currency: string | undefined;
  /** A call may have been billed beyond that: its end, or what it has made, was not seen. */
  readonly mayBeMore: boolean;
  /** A part of the cost, or all of it, is counted with list prices. */
  readonly isEstimate: boolean;
};

/** What images cost, where that is certain. */
export type KnownCost = {
  readonly cost: Cost;
  readonly currency: string;
  readonly isEstimate: boolean;
};
