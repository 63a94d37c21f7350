import type { BudgetPeriod } from '../../domain/budget.ts';
import type { MoneyReservation, ReserveResult } from '../../domain/ledger.ts';
import { lockConsumer } from './lock-consumer.ts';
import { settleCalls } from './settle-calls.ts';
import { type Row, type Steps, statement } from './steps.ts';
import { sumSpend } from './sum-spend.ts';
import { takeReservations } from './take-reservations.ts';

/** What the ledger does in the database. */
export const budgetOperations = {
  /**
   * Sets money aside if so much is left of the limit. One statement decides, so that no number of processes exceeds the limit
   * together.
   * @param owner the process
   */
  *reserveMoney(reservation: MoneyReservation, limit: number, owner: string): Steps<ReserveResult> {
    const { consumer, period, amount } = reservation;
    let granted = yield* take(reservation, limit);
    while (granted === undefined) {
      const row = yield* rowOf(consumer, period);
      if (row !== undefined && usedOf(row) + amount > limit) return { isGranted: false, used: usedOf(row) };
      // There was no row yet, or another process has begun the period, or given something back, just now.
      if (row === undefined) {
        // A statement of its own: the sum must be of what is committed once the lock is had.
        yield lockConsumer('budget_holders', consumer);
        yield begin(consumer, period);
      }
      granted = yield* take(reservation, limit);
    }
    const { id, job, day, each } = reservation;
    yield statement(
      `insert into budget_reservations (id, job, owner, consumer, period, day, amount, each_image)
       values (?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (id) do update set amount = budget_reservations.amount + excluded.amount`,
      ...([id, job, owner, consumer, period.name, day, amount, each] as const),
    );
    return { isGranted: true, used: usedOf(granted) };
  },

  /** What is used in each of these periods, in their order. */
  *usedMoney(of: readonly { readonly consumer: string; readonly period: BudgetPeriod }[]): Steps<readonly number[]> {
    const used: number[] = [];
    for (const { consumer, period } of of) used.push(yield* usedIn(consumer, period));
    return used;
  },

  settleCalls,
  takeReservations,

  /** The ids of what a process has reserved. */
  *reservationsOf(owner: string): Steps<readonly string[]> {
    const { rows } = yield statement('select id from budget_reservations where owner = ?', owner);
    return rows.map(({ id }) => String(id));
  },

  sumSpend,

  /** Forgets calls that were settled so long ago that nobody settles them again. */
  *pruneSettled(before: number): Steps<void> {
    yield statement('delete from settled_calls where settled_at < ?', before);
  },
};

/** Those that must be one transaction. */
export const transactionalBudgetOperations: readonly (keyof typeof budgetOperations)[] = [
  'reserveMoney',
  'settleCalls',
  'takeReservations',
];

function* take({ consumer, period, amount }: MoneyReservation, limit: number): Steps<Row | undefined> {
  const { rows } = yield statement(
    `update budgets set reserved = reserved + ? where consumer = ? and period = ? and spent + reserved + ? <= ?
     returning spent, reserved`,
    ...[amount, consumer, period.name, amount, limit],
  );
  return rows[0];
}

function* rowOf(consumer: string, { name }: BudgetPeriod): Steps<Row | undefined> {
  const { rows } = yield statement(
    'select spent, reserved from budgets where consumer = ? and period = ?',
    ...[consumer, name],
  );
  return rows[0];
}

/** What a consumer has spent from a day to another one, where nothing is reserved. */
const sumOfSpend = `cast(coalesce(sum(cost + assumed_cost), 0) as bigint) as spent, 0 as reserved
  from spend where consumer = ? and day >= ? and day <= ?`;

/** A budget counts from the beginning of its period, also where it was configured later. */
function begin(consumer: string, { name, firstDay, lastDay }: BudgetPeriod) {
  return statement(
    `insert into budgets (consumer, period, spent, reserved)
     select cast(? as text), cast(? as text), ${sumOfSpend}
     on conflict (consumer, period) do nothing`,
    ...[consumer, name, consumer, firstDay, lastDay],
  );
}

function* usedIn(consumer: string, period: BudgetPeriod): Steps<number> {
  const budget = yield* rowOf(consumer, period);
  if (budget !== undefined) return usedOf(budget);
  const { rows } = yield statement(`select ${sumOfSpend}`, ...[consumer, period.firstDay, period.lastDay]);
  return usedOf(rows[0] as Row);
}

function usedOf({ spent, reserved }: Row): number {
  return Number(spent) + Number(reserved);
}
