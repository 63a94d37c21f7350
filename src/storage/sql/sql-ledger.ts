import type { BudgetPeriod, Micros } from '../../domain/budget.ts';
import type { JobId } from '../../domain/job-store.ts';
import type { Ledger, MoneyReservation, ReserveResult, Settling, SpendQuery, SpendRow } from '../../domain/ledger.ts';
import { type OperationRunner, runOrFail } from './operations.ts';

/** Longer than anybody goes on to report how a call has ended. */
const settledMs = 3 * 24 * 60 * 60_000;

const pruneEveryMs = 60 * 60_000;

/** How often it looks for what it has reserved without knowing. */
const lookEveryMs = 10_000;

/** Budgets and spend in the database of jobs, which several processes may share. */
export class SqlLedger implements Ledger {
  readonly #runner: OperationRunner;
  readonly #owner: { readonly id: string };
  /** What it has reserved and not settled yet, with its id at that time. */
  readonly #open = new Map<string, { readonly job: JobId; readonly owner: string }>();
  #pruneAt = 0;
  #lookAt = 0;

  /** @param owner this process; it has another id when others have taken it for dead */
  constructor(runner: OperationRunner, owner: { readonly id: string }) {
    this.#runner = runner;
    this.#owner = owner;
  }

  async reserve(reservation: MoneyReservation, limit: Micros): Promise<ReserveResult> {
    const { id, job } = reservation;
    const open = this.#open.get(id);
    const owner = open?.owner ?? this.#owner.id;
    // Before it is tried: nobody knows whether one was committed that fails.
    this.#open.set(id, { job, owner });
    const result = await runOrFail(this.#runner, 'reserveMoney', reservation, limit, owner);
    if (!result.isGranted && open === undefined) this.#open.delete(id);
    return result;
  }

  async settle(settling: Settling): Promise<void> {
    const { id, job } = settling.reservation;
    const now = this.#owner.id;
    const others = [...this.#open].filter(([other, of]) => of.job === job && other !== id).map(([other]) => other);
    const settler = { owners: [this.#open.get(id)?.owner ?? now, now] as const, others };
    await runOrFail(this.#runner, 'settleCalls', settling, settler, Date.now());
    if (!settling.isPart) this.#open.delete(id);
    this.#prune();
  }

  async used(of: readonly { readonly consumer: string; readonly period: BudgetPeriod }[]): Promise<readonly Micros[]> {
    return await runOrFail(this.#runner, 'usedMoney', of);
  }

  async spend(query: SpendQuery): Promise<readonly SpendRow[]> {
    return await runOrFail(this.#runner, 'sumSpend', query);
  }

  async takeOver(currency: string): Promise<void> {
    const owner = this.#owner.id;
    const strays = await this.#strays(owner);
    await runOrFail(this.#runner, 'takeReservations', owner, strays, currency, Date.now());
  }

  /**
   * What was committed after its settlement had found nothing: the commit was given up, and came late. What a reservation is
   * found by here was noted before it was tried, so that one that is just being made is never among them.
   */
  async #strays(owner: string): Promise<readonly string[]> {
    const now = performance.now();
    if (now < this.#lookAt) return [];
    const found = await runOrFail(this.#runner, 'reservationsOf', owner);
    this.#lookAt = now + lookEveryMs;
    return found.filter((id) => !this.#open.has(id));
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
