import { closeSync, openSync, statSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { coolDownOperations } from '../sql/cool-down-rows.ts';
import type { FailureCode } from '../sql/operation-failure.ts';
import { sharedOperations } from '../sql/operations.ts';
import { quotaOperations } from '../sql/quota-rows.ts';
import type { Result, Row, Statement, Steps } from '../sql/steps.ts';
import { sqliteFailure } from './sqlite-failure.ts';
import { sqliteOwnerOperations } from './sqlite-owner-rows.ts';
import { checkVersion, migrate } from './sqlite-schema.ts';

export type JobDatabaseOptions = {
  /** A path, or `:memory:`. */
  readonly file: string;
  /** It was there before: without it, the jobs that it knew would be bought again. */
  readonly mustExist?: boolean;
  /** Limited in tests, to have a full disk. */
  readonly maxPages?: number | undefined;
};

const operations = { ...sharedOperations, ...sqliteOwnerOperations };

export type SqliteOperations = typeof operations;
type OperationName = keyof SqliteOperations;

/** A call of an operation: its name and its arguments. */
export type Operation = readonly [name: OperationName, ...values: unknown[]];

/** What became of a batch: a result for each operation, those that failed, the transactions, and the rows that they changed. */
export type BatchResult = readonly [
  results: readonly unknown[],
  failures: readonly (readonly [index: number, code: FailureCode, message: string])[],
  commits: number,
  changes: number,
];

type Prepared = { readonly statement: StatementSync; readonly hasRows: boolean };

/** How long another process may take for its transaction. */
const busyMs = 5_000;

const sqliteBusy = 5;

/** Nothing is lost when these do not survive a power failure. */
const volatile: ReadonlySet<OperationName> = new Set<OperationName>([
  'renew',
  'markDelivered',
  ...(Object.keys(quotaOperations) as (keyof typeof quotaOperations)[]),
  ...(Object.keys(coolDownOperations) as (keyof typeof coolDownOperations)[]),
]);

/**
 * The database of jobs, which several processes may have open. It blocks while it waits for the disk. Opening throws an error
 * for the operator when the file is not one of this program.
 */
export class JobDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, Prepared>();
  readonly #file: string;
  readonly #inode: bigint | undefined;
  readonly #changes;
  #isSynced = true;

  constructor({ file, mustExist = false, maxPages }: JobDatabaseOptions) {
    const isFile = file !== ':memory:';
    if (isFile && !mustExist) createPrivately(file);
    this.#file = file;
    this.#inode = isFile ? inodeOf(file) : undefined;
    if (isFile && this.#inode === undefined) throw new Error(`${file} has disappeared`);
    this.#database = open(file);
    try {
      whileBusy(() => prepare(this.#database, maxPages));
      this.#changes = this.#database.prepare('select total_changes() as changes');
    } catch (error) {
      this.#database.close();
      throw explain(error);
    }
  }

  /**
   * Runs operations in one transaction: those that fail change nothing, and when it cannot be committed, all of them fail.
   * Throws when the database can only be opened anew.
   */
  run(batch: readonly Operation[]): BatchResult {
    const results: unknown[] = new Array(batch.length);
    const failures: [number, FailureCode, string][] = [];
    this.#mustBeThere();
    const before = this.#countChanges();
    try {
      this.#begin(batch);
      for (const [index, operation] of batch.entries()) {
        try {
          results[index] = this.#runOne(operation, batch.length > 1);
        } catch (error) {
          // Some failures, a full disk among them, end the transaction.
          if (batch.length === 1 || !this.#database.isTransaction) throw error;
          const { code, message } = sqliteFailure(error);
          failures.push([index, code, message]);
        }
      }
      this.#database.exec('commit');
    } catch (error) {
      this.#rollBack();
      const { code, message } = sqliteFailure(error);
      return [[], batch.map((_, index) => [index, code, message]), 0, 0];
    }
    const changes = this.#countChanges() - before;
    return [results, failures, changes > 0 ? 1 : 0, changes];
  }

  close(): void {
    this.#database.close();
  }

  /** SQLite would go on writing to a file that was removed or replaced. */
  #mustBeThere(): void {
    if (this.#inode === undefined || inodeOf(this.#file) === this.#inode) return;
    throw new Error(`${this.#file} was removed or replaced`);
  }

  #begin(batch: readonly Operation[]): void {
    const isSynced = batch.some(([name]) => !volatile.has(name));
    if (isSynced !== this.#isSynced) this.#database.exec(`pragma synchronous = ${isSynced ? 'full' : 'normal'}`);
    this.#isSynced = isSynced;
    this.#database.exec('begin immediate');
  }

  #runOne([name, ...values]: Operation, hasOthers: boolean): unknown {
    const operation = operations[name] as (...values: unknown[]) => Steps<unknown>;
    if (!hasOthers) return this.#take(operation(...values));
    this.#database.exec('savepoint one');
    try {
      const result = this.#take(operation(...values));
      this.#database.exec('release one');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback to one; release one');
      throw error;
    }
  }

  /** Runs the statements of an operation. */
  #take(steps: Steps<unknown>): unknown {
    let step = steps.next();
    while (step.done !== true) step = steps.next(this.#execute(step.value));
    return step.value;
  }

  #execute({ sql, values }: Statement): Result {
    const { statement, hasRows } = this.#prepare(sql);
    if (!hasRows) return { rows: [], changes: Number(statement.run(...(values as SQLInputValue[])).changes) };
    // Rows of the driver are no plain objects.
    const rows = statement.all(...(values as SQLInputValue[])).map((row) => ({ ...row }) as Row);
    return { rows, changes: rows.length };
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    const prepared = { statement, hasRows: statement.columns().length > 0 };
    this.#statements.set(sql, prepared);
    return prepared;
  }

  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('rollback');
    } catch {
      // What broke the transaction is reported.
    }
  }

  #countChanges(): number {
    return Number(this.#changes.get()?.changes);
  }
}

function open(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: busyMs });
  } catch (error) {
    throw explain(error);
  }
}

/** The files that SQLite puts beside it get its mode. One that exists is not opened: closing it would free SQLite's locks. */
function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function inodeOf(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

function prepare(database: DatabaseSync, maxPages: number | undefined): void {
  // Before anything is written: the file may be another program's.
  checkVersion(database);
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 16777216');
  migrate(database);
  if (maxPages !== undefined) database.exec(`pragma max_page_count = ${maxPages}`);
}

/** SQLite does not wait by itself while another process turns on the write-ahead log. */
function whileBusy(step: () => void): void {
  const until = performance.now() + busyMs;
  for (;;) {
    try {
      step();
      return;
    } catch (error) {
      const { errcode = 0 } = error as { readonly errcode?: number };
      if ((errcode & 0xff) !== sqliteBusy || performance.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/** For the operator: what is wrong with the file. */
function explain(error: unknown): unknown {
  const { errcode, message } = error as Error & { readonly errcode?: number };
  if (errcode === undefined) return error;
  const isDamaged = errcode === 11 || errcode === 26;
  const problem = isDamaged ? 'is damaged or is no database' : `cannot be used (${message})`;
  const help = isDamaged ? 'restore it, or choose another DATA_DIR' : 'check the disk of DATA_DIR';
  return new Error(`jobs.sqlite in DATA_DIR ${problem}: ${help}`, { cause: error });
}
