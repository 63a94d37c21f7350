import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'pg';
import { onTestFinished } from 'vitest';
import { PostgresRunner } from '../../../src/storage/postgres/postgres-runner.ts';
import { budgetOperations } from '../../../src/storage/sql/budget-operations.ts';
import { budgetLockTable, budgetTables, estimatedCostColumn } from '../../../src/storage/sql/budget-tables.ts';
import type { OperationRunner } from '../../../src/storage/sql/operations.ts';
import type { Row, Steps } from '../../../src/storage/sql/steps.ts';
import { postgresUrl, schemaFor } from './create-job-store.ts';

/** Runs an operation, as the job store does. */
export type RunBudget = OperationRunner<typeof budgetOperations>['run'];

export type BudgetDatabase = {
  readonly run: RunBudget;
  /** The same for several processes. */
  readonly processes: readonly RunBudget[];
  /** Runs statements of the test. */
  readonly exec: (sql: string) => Promise<void>;
  readonly all: (sql: string) => Promise<readonly Row[]>;
};

/** What the operations find of jobs and their owners. */
const jobTables = `
  create table owners (id text primary key);
  create table jobs (id text primary key, model text not null, state text not null, attempts text not null,
    owner text not null default 'heir');`;

/** A database that holds what the operations need, in SQLite or in PostgreSQL. */
export async function openBudgetDatabase(): Promise<BudgetDatabase> {
  const server = postgresUrl();
  const database = server === undefined ? openHere() : await openThere(server);
  await database.exec(`${jobTables}${budgetTables}${budgetLockTable}${estimatedCostColumn}`);
  return database;
}

/** In memory, each operation in one transaction. */
function openHere(): BudgetDatabase {
  const database = new DatabaseSync(':memory:');
  onTestFinished(() => database.close());
  const all = (sql: string, values: readonly (string | number | null)[] = []) =>
    database.prepare(sql).all(...values) as Row[];
  const run: RunBudget = async (name, ...values) => {
    database.exec('begin immediate');
    const steps = (budgetOperations[name] as (...values: unknown[]) => Steps<never>)(...(values as unknown[]));
    let step = steps.next();
    while (!step.done) {
      const rows = all(step.value.sql, step.value.values);
      step = steps.next({ rows, changes: changesOf(rows, all('select changes() as changes')) });
    }
    database.exec('commit');
    return step.value;
  };
  return { run, processes: [run], exec: async (sql) => database.exec(sql), all: async (sql) => all(sql) };
}

function changesOf(rows: readonly Row[], [changed]: readonly Row[]): number {
  return rows.length > 0 ? rows.length : Number(changed?.changes);
}

/** In a schema of its own. */
async function openThere(url: string): Promise<BudgetDatabase> {
  const schema = schemaFor(randomUUID());
  const open = () => {
    const pool = new Pool({ connectionString: url, options: `-c search_path=${schema}`, max: 8 });
    const runner = new PostgresRunner(pool, () => {});
    onTestFinished(() => runner.close());
    return { pool, run: runner.run as RunBudget };
  };
  const [first, ...others] = [open(), open(), open()];
  const { pool, run } = first as ReturnType<typeof open>;
  await pool.query(`create schema ${schema}`);
  return {
    run,
    processes: [run, ...others.map((other) => other.run)],
    exec: async (sql) => void (await pool.query(sql)),
    all: async (sql) => (await pool.query<Row>(sql)).rows,
  };
}
