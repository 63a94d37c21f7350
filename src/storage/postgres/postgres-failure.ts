import { OperationFailure } from '../sql/operation-failure.ts';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const diskFull = '53100';

/** The server ends the connection, is about to, or is a replica that cannot be written to since a failover. */
const lost = /^(?:08|57P0|25006)/;

/** Codes of PostgreSQL have five characters; those of the system, such as ECONNRESET, more. */
function sqlState(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Whether a connection is of no use any more, and what was sent over it may have been committed or not. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof OperationFailure) return false;
  const state = sqlState(error);
  return state === undefined || lost.test(state);
}

/** What PostgreSQL, or the network, has reported: its code and message, and never the statement or its values. */
export function postgresFailure(error: unknown): OperationFailure {
  if (error instanceof OperationFailure) return error;
  const { code, message } = firstOf(error) as Error & { readonly code?: string };
  const text = code === undefined ? message : `${message} (${code})`;
  return new OperationFailure(sqlState(error) === diskFull ? 'full' : 'failed', text);
}

/** A name that has several addresses fails with an error for each. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? (error.errors[0] ?? error) : error;
}
