import type { BudgetPeriod, Micros } from '../../domain/budget.ts';
import type { Ledger, MoneyReservation, ReserveResult, Settling, SpendQuery, SpendRow } from '../../domain/ledger.ts';
import { type OperationRunner, runOrFail } from './operations.ts';

/** Longer than anybody goes on to report how a call has ended. */
const settledMs = 3 * 24 * 60 * 60_000;

const pruneEveryMs = 60 * 60_000;

/** Budgets and spend in the database of jobs, which several processes may share. */
export class SqlLedger implements Ledger {
  readonly #runner: OperationRunner;
  readonly #owner: { readonly id: string };
  #pruneAt = 0;

  /** @param owner this process; it has another id when others have taken it for dead */
  constructor(runner: OperationRunner, owner: { readonly id: string }) {
    this.#runner = runner;
    this.#owner = owner;
  }

  async reserve(reservation: MoneyReservation, limit: Micros): Promise<ReserveResult> {
    return await runOrFail(this.#runner, 'reserveMoney', reservation, limit, this.#owner.id);
  }

  async settle(settling: Settling): Promise<void> {
    await runOrFail(this.#runner, 'settleCalls', settling, Date.now());
    this.#prune();
  }

  async used(of: readonly { readonly consumer: string; readonly period: BudgetPeriod }[]): Promise<readonly Micros[]> {
    return await runOrFail(this.#runner, 'usedMoney', of);
  }

  async spend(query: SpendQuery): Promise<readonly SpendRow[]> {
    return await runOrFail(this.#runner, 'sumSpend', query);
  }

  async takeOver(currency: string): Promise<void> {
    await runOrFail(this.#runner, 'takeReservations', this.#owner.id, currency, Date.now());
  }

  #prune(): void {
    const now = Date.now();
    if (now < this.#pruneAt) return;
    this.#pruneAt = now + pruneEveryMs;
    runOrFail(this.#runner, 'pruneSettled', now - settledMs).catch(() => {
      // What is left is pruned later.
    });
  }
}
