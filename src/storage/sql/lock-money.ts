import { type Statement, statement } from './steps.ts';

/**
 * Whoever changes the row first is alone with what the consumer has spent until the transaction ends: the first row of a budget
 * begins with a sum, which must not miss what is being settled, and a settlement must not miss that row.
 */
export function lockMoney(consumer: string): Statement {
  return statement(
    `insert into budget_holders (consumer, changes) values (?, 1)
     on conflict (consumer) do update set changes = budget_holders.changes + 1`,
    consumer,
  );
}
