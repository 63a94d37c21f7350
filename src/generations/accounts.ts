import { randomBytes } from 'node:crypto';
import { type Budget, type BudgetUsage, dayOf, type Micros, periodAt } from '../domain/budget.ts';
import type { JobId, TakenJob } from '../domain/job-store.ts';
import type { Ledger, SpendQuery, SpendRow } from '../domain/ledger.ts';
import type { Recorder } from '../domain/recorder.ts';
import { Account } from './account.ts';

type AccountsParts = {
  readonly ledger: Ledger;
  readonly recorder: Pick<Recorder, 'budgetUsed'>;
  /** The time of day, in milliseconds since 1970. */
  readonly now: () => number;
  /** Of the prices that are in force. */
  readonly currency: () => string;
  /** The budget that is in force for a consumer; `undefined`: it has none. */
  readonly budgetOf: (consumer: string) => Budget | undefined;
};

type Opened = {
  readonly job: JobId;
  readonly consumer: string;
  readonly model: string;
  readonly images: number;
  /** What one image costs at most. */
  readonly estimate: (budget: Budget) => Micros;
};

/** Whose generations cost what: opens an account for each, and sums them up. */
export class Accounts {
  readonly #parts: AccountsParts;

  constructor(parts: AccountsParts) {
    this.#parts = parts;
  }

  /** For a generation that begins. */
  open({ estimate, ...opened }: Opened): Account {
    const now = this.#parts.now();
    const budget = this.#parts.budgetOf(opened.consumer);
    return new Account({
      ...this.#common(),
      ...opened,
      day: dayOf(now),
      budget: budget && { of: budget, period: periodAt(budget.per, now), each: estimate(budget) },
      reservation: randomBytes(12).toString('base64url'),
      isAdopted: false,
    });
  }

  /**
   * For a job that was taken over: it settles what an earlier process has reserved for it.
   * @param estimate of an image, where it may still make calls
   */
  adopt({ lease, consumer, model, count, createdAt }: TakenJob, estimate?: Opened['estimate']): Account {
    const budget = estimate && this.#parts.budgetOf(consumer);
    return new Account({
      ...this.#common(),
      ...{ job: lease.job, consumer, model, images: count, day: dayOf(createdAt) },
      ...{ reservation: `${lease.job}+`, isAdopted: true },
      budget: budget && estimate && { of: budget, period: periodAt(budget.per, createdAt), each: estimate(budget) },
    });
  }

  /** Settles what processes have reserved that have died, unless their jobs go on elsewhere. */
  async takeOver(): Promise<void> {
    await this.#parts.ledger.takeOver(this.#parts.currency());
  }

  spend(query: SpendQuery): Promise<readonly SpendRow[]> {
    return this.#parts.ledger.spend(query);
  }

  /** What is used of the budgets of these consumers now; those without one are left out. */
  async usages(consumers: readonly string[]): Promise<readonly (BudgetUsage & { readonly consumer: string })[]> {
    const now = this.#parts.now();
    const limited = consumers.flatMap((consumer) => {
      const budget = this.#parts.budgetOf(consumer);
      return budget ? [{ consumer, budget, period: periodAt(budget.per, now) }] : [];
    });
    if (limited.length === 0) return [];
    const used = await this.#parts.ledger.used(limited.map(({ consumer, period }) => ({ consumer, period })));
    return limited.map((of, index) => ({ ...of, used: used[index] ?? 0 }));
  }

  /** The time of day. */
  now(): number {
    return this.#parts.now();
  }

  #common() {
    const { ledger, recorder, now, currency } = this.#parts;
    return { ledger, recorder, now, currency: currency() };
  }
}
