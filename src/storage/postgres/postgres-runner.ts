import type { Pool, PoolClient } from 'pg';
import { OperationFailure } from '../sql/operation-failure.ts';
import { type OperationRunner, sharedOperations, transactions } from '../sql/operations.ts';
import type { Result, Row, Statement, Steps } from '../sql/steps.ts';
import { isConnectionLost, postgresFailure } from './postgres-failure.ts';
import { postgresOwnerOperations } from './postgres-owner-rows.ts';

const operations = { ...sharedOperations, ...postgresOwnerOperations };

export type PostgresOperations = typeof operations;

/** Runs operations on PostgreSQL: each one on a connection of its own, one statement after the other. */
export class PostgresRunner implements OperationRunner<PostgresOperations> {
  readonly keepsOrder = false;
  commits = 0;
  changes = 0;
  readonly #pool: Pool;
  readonly #onLoss: () => void;
  readonly #running = new Set<Promise<unknown>>();
  #isClosed = false;

  /** @param onLoss called when a connection has broken, and nobody knows which of its statements were committed */
  constructor(pool: Pool, onLoss: () => void) {
    this.#pool = pool;
    this.#onLoss = onLoss;
  }

  run: OperationRunner<PostgresOperations>['run'] = async (name, ...values) => {
    if (this.#isClosed) throw new OperationFailure('failed', 'the job store is closed');
    const operation = operations[name] as (...values: unknown[]) => Steps<never>;
    const running = this.#take(operation(...(values as unknown[])), transactions.has(name));
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  };

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#running);
    await this.#pool.end();
  }

  async #take<T>(steps: Steps<T>, isTransaction: boolean): Promise<T> {
    const client = await this.#connect();
    let isBroken = false;
    try {
      if (isTransaction) await client.query('begin');
      let step = steps.next();
      while (step.done !== true) step = steps.next(await this.#execute(client, step.value));
      if (isTransaction) await client.query('commit');
      return step.value;
    } catch (error) {
      // With the connection its transaction ends, too.
      isBroken = isTransaction || isConnectionLost(error);
      if (isBroken) this.#onLoss();
      throw postgresFailure(error);
    } finally {
      // What still runs there would delay whoever gets the connection next.
      client.release(isBroken);
    }
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw postgresFailure(error);
    }
  }

  async #execute(client: PoolClient, { sql, values }: Statement): Promise<Result> {
    const { rows, rowCount } = await client.query<Row>(numbered(sql), [...values]);
    const changes = rowCount ?? 0;
    if (changes > 0 && !/^\s*select\b/.test(sql)) {
      this.commits += 1;
      this.changes += changes;
    }
    return { rows, changes };
  }
}

const texts = new Map<string, string>();

/** PostgreSQL numbers the values of a statement. No text of ours holds a question mark. */
function numbered(sql: string): string {
  const known = texts.get(sql);
  if (known !== undefined) return known;
  let count = 0;
  const text = sql.replaceAll('?', () => {
    count += 1;
    return `$${count}`;
  });
  texts.set(sql, text);
  return text;
}
