import { OperationFailure } from '../sql/operation-failure.ts';

const sqliteFull = 13;

/** Tells what SQLite, or the file system under it, has reported. */
export function sqliteFailure(error: unknown): OperationFailure {
  if (error instanceof OperationFailure) return error;
  const { errcode, code, message } = error as Error & { readonly errcode?: number; readonly code?: string };
  // The lowest byte is the primary code of an extended one: https://sqlite.org/rescode.html
  const isFull = (errcode !== undefined && (errcode & 0xff) === sqliteFull) || code === 'ENOSPC' || code === 'EDQUOT';
  return new OperationFailure(isFull ? 'full' : 'failed', errcode === undefined ? message : `${message} (${errcode})`);
}
