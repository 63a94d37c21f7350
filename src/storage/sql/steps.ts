/** What a column holds. Truth is 1 or 0. */
export type SqlValue = string | number | null;

export type Row = Readonly<Record<string, SqlValue>>;

/** SQL that SQLite and PostgreSQL both understand, with a `?` for each value. */
export type Statement = { readonly sql: string; readonly values: readonly SqlValue[] };

/** What a statement has returned, and how many rows it has changed or returned. */
export type Result = { readonly rows: readonly Row[]; readonly changes: number };

/**
 * An operation on the database: it yields its statements, and gets their results. So the same operation runs on SQLite, which
 * responds at once, and on PostgreSQL, which does not. SQLite runs it in one transaction. On PostgreSQL only each statement is
 * atomic: the state that one has found may have changed before the next one, which therefore shows in its `where` what it was
 * decided by, and looks again when it has changed nothing.
 */
export type Steps<T> = Generator<Statement, T, Result>;

export function statement(sql: string, ...values: readonly SqlValue[]): Statement {
  return { sql, values };
}

/** The only row that a statement returns, if any. */
export function* firstRow<T = Row>(sql: string, ...values: readonly SqlValue[]): Steps<T | undefined> {
  const { rows } = yield { sql, values };
  return rows[0] as T | undefined;
}

/** Runs a statement, and returns whether it has changed a row. */
export function* hasChanged(sql: string, ...values: readonly SqlValue[]): Steps<boolean> {
  const { changes } = yield { sql, values };
  return changes > 0;
}
