import type { Tokens } from './bill.ts';
import type { BudgetPeriod, Micros } from './budget.ts';
import type { JobAttempt, JobId } from './job-store.ts';

/** Money that is set aside before anything is sent. */
export type MoneyReservation = {
  /** Names it; a further one with the same id adds to it. */
  readonly id: string;
  readonly job: JobId;
  readonly consumer: string;
  readonly period: BudgetPeriod;
  /** The day that the cost will be counted on. */
  readonly day: string;
  /** For all its images. */
  readonly amount: Micros;
  /** For each image: counted for a call whose cost is not known in the end. */
  readonly each: Micros;
};

/** Whether there was enough left, and what is used now; `reserved` is part of `used`. */
export type ReserveResult = { readonly isGranted: boolean; readonly used: Micros };

/** One paid call, once it has ended. */
export type CallCharge = {
  /** Names the call: it is counted once, however often it is reported, and by whomever. */
  readonly id: string;
  readonly target: string;
  /** How many images it asked for, and how many were made as far as is known. */
  readonly asked: number;
  readonly images: number;
  readonly tokens: Tokens | undefined;
  /** `undefined`: it may be billed, and nobody knows how much. */
  readonly cost: Micros | undefined;
  /** The cost is counted with list prices. */
  readonly isEstimate: boolean;
  /** It may have been billed without an image that was seen. */
  readonly isUnknown: boolean;
};

/**
 * What is left of calls of a process that has died: that they were made. The cost of those that may be billed is not known.
 * @param isDone their images were had all the same
 */
export function chargesOfAttempts(attempts: readonly JobAttempt[], isDone: boolean): readonly CallCharge[] {
  return attempts
    .filter(({ state }) => state !== 'not-processed' && state !== 'failed')
    .map(({ images, target, state }) => {
      const isHad = isDone && state === 'dispatched';
      return {
        id: images[0] ?? '',
        target,
        asked: images.length,
        images: isHad ? images.length : 0,
        tokens: undefined,
        cost: undefined,
        isEstimate: false,
        isUnknown: !isHad,
      };
    });
}

/** What a generation has cost, or a part of it. */
export type Settling = {
  readonly reservation: {
    readonly id: string;
    readonly job: JobId;
    /** It ends also what earlier processes have reserved for the job. */
    readonly isAdopted: boolean;
  };
  readonly consumer: string;
  /** The logical model. */
  readonly model: string;
  /** The day that the cost is counted on. */
  readonly day: string;
  readonly currency: string;
  readonly calls: readonly CallCharge[];
  /** Other calls of the generation go on: what was reserved stays so. */
  readonly isPart: boolean;
};

export const spendKeys = ['consumer', 'model', 'target', 'day'] as const;

export type SpendKey = (typeof spendKeys)[number];

export type SpendQuery = {
  /** Days of UTC, both inclusive. */
  readonly from: string;
  readonly to: string;
  readonly by: readonly SpendKey[];
  /** `undefined`: of all. */
  readonly consumer: string | undefined;
};

/** So many groups can be told; one more is read where there are more. */
export const maxSpendRows = 10_000;

/** Sums of one group of calls. */
export type SpendRow = Readonly<Partial<Record<SpendKey, string>>> & {
  readonly currency: string;
  readonly calls: number;
  readonly images: number;
  readonly textIn: number;
  readonly imageIn: number;
  readonly cachedIn: number;
  readonly textOut: number;
  readonly imageOut: number;
  /** What is known. */
  readonly cost: Micros;
  /** Of that, what is counted with list prices. */
  readonly estimatedCost: Micros;
  /** What was counted against a budget for calls whose cost is not known. */
  readonly assumedCost: Micros;
  /** Calls that made images whose price is not known. */
  readonly unpriced: number;
  /** Calls that may have been billed without an image that was seen. */
  readonly unknownOutcomes: number;
};

/**
 * What consumers have spent, and have reserved. All processes that share a job store share it. Every method may reject with a
 * GatewayError `store_unavailable` or `storage_full`.
 */
export interface Ledger {
  /** Sets money aside if that much is left of `limit`. */
  reserve(reservation: MoneyReservation, limit: Micros): Promise<ReserveResult>;
  /** Counts what calls have cost, and gives back what was reserved. It may be repeated: each call is counted once. */
  settle(settling: Settling): Promise<void>;
  /** What is used in each of these periods, in their order. */
  used(of: readonly { readonly consumer: string; readonly period: BudgetPeriod }[]): Promise<readonly Micros[]>;
  spend(query: SpendQuery): Promise<readonly SpendRow[]>;
  /**
   * Settles what processes have reserved that have died, unless their jobs go on elsewhere.
   * @param currency of what was not counted yet
   */
  takeOver(currency: string): Promise<void>;
}
