import { type Budget, type BudgetPeriod, type BudgetUsage, isBeyondSoft, type Micros } from '../domain/budget.ts';
import type { JobId } from '../domain/job-store.ts';
import type { CallCharge, Ledger, Settling } from '../domain/ledger.ts';
import type { Recorder } from '../domain/recorder.ts';
import { budgetExceeded } from './budget-exceeded.ts';
import { shuttingDown } from './interruption.ts';

export type AccountParts = {
  readonly ledger: Pick<Ledger, 'reserve' | 'settle'>;
  readonly recorder: Pick<Recorder, 'budgetUsed'>;
  /** The time of day, in milliseconds since 1970: it decides about the period. */
  readonly now: () => number;
  readonly job: JobId;
  readonly consumer: string;
  /** The logical model. */
  readonly model: string;
  readonly currency: string;
  /** The day that the cost is counted on. */
  readonly day: string;
  /** `undefined`: it may spend as much as it likes. */
  readonly budget: { readonly of: Budget; readonly period: BudgetPeriod; readonly each: Micros } | undefined;
  readonly images: number;
  /** Names what this generation reserves. */
  readonly reservation: string;
  /** An earlier owner of the job may have reserved for it, too. */
  readonly isAdopted: boolean;
};

/** The money of one generation: reserved before anything is sent, settled by what it has cost. */
export class Account {
  readonly #parts: AccountParts;
  /** While it is being reserved. */
  #reserving: Promise<unknown> | undefined;
  #hasReserved = false;
  #isClosed = false;
  /** What was used of the budget when this generation had reserved its share, or was refused it. */
  usage: BudgetUsage | undefined;

  constructor(parts: AccountParts) {
    this.#parts = parts;
  }

  /** Whether it counts against a budget. */
  get isLimited(): boolean {
    return this.#parts.budget !== undefined;
  }

  /** Reserves what its images cost at most. Rejects with `budget_exceeded` where that is not left. */
  async reserve(): Promise<void> {
    const { budget, images, now } = this.#parts;
    if (budget === undefined) return;
    // It has ended while it waited for something else.
    if (this.#isClosed) throw shuttingDown();
    if (await this.#reserve(images)) return;
    throw budgetExceeded(this.usage as BudgetUsage, { needed: images * budget.each, now: now() });
  }

  /**
   * Reserves once more for images whose call may have been billed, and is to be repeated. Returns whether so much was left.
   */
  async reserveAgain(images: number): Promise<boolean> {
    if (this.#isClosed) return false;
    return this.#parts.budget === undefined || (await this.#reserve(images).catch(() => false));
  }

  /**
   * Counts what calls have cost, and gives back the rest. It may be repeated. Rejects when the store is not available. It begins
   * at once, so that the store can do it together with what is recorded in the same moment.
   * @param isPart further calls go on elsewhere
   */
  async settle(calls: readonly CallCharge[], isPart = false): Promise<void> {
    const { ledger, consumer, model, day, currency, job, reservation, isAdopted } = this.#parts;
    this.#isClosed = true;
    if (this.#reserving !== undefined) await this.#reserving.catch(() => {});
    if (calls.length === 0 && (isPart || !(isAdopted || this.#hasReserved))) return;
    const settling: Settling = {
      reservation: { id: reservation, job, isAdopted },
      ...{ consumer, model, day, currency, calls, isPart },
    };
    await ledger.settle(settling);
  }

  async #reserve(images: number): Promise<boolean> {
    const { ledger, recorder, budget, job, consumer, day, reservation } = this.#parts;
    if (budget === undefined) return true;
    const { of, period, each } = budget;
    const amount = images * each;
    const share = { id: reservation, job, consumer, period, day, amount, each };
    const hadReserved = this.#hasReserved;
    // Before it is known: what was committed without a word must be given back.
    this.#hasReserved = true;
    const reserving = ledger.reserve(share, of.amount).finally(() => {
      this.#reserving = undefined;
    });
    this.#reserving = reserving;
    const { isGranted, used } = await reserving;
    this.#hasReserved = isGranted || hadReserved;
    this.usage = { budget: of, used, period };
    const isBeyond = isBeyondSoft(this.usage);
    const hasCrossed = isGranted && isBeyond && !isBeyondSoft({ budget: of, used: used - amount });
    recorder.budgetUsed({ consumer, usage: this.usage, isGranted, isBeyond, hasCrossed });
    return isGranted;
  }
}
