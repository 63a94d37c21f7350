import { type Statement, statement } from './steps.ts';

/** What can be locked of a consumer, each by a row of a table of its own. */
type Lockable = 'permit_holders' | 'budget_holders';

/** Whoever changes the row makes others, who would change it, too, wait until its transaction ends. */
export function lockConsumer(table: Lockable, consumer: string): Statement {
  return statement(
    `insert into ${table} (consumer, changes) values (?, 1)
     on conflict (consumer) do update set changes = ${table}.changes + 1`,
    consumer,
  );
}
