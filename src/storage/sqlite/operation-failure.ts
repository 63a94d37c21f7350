import { GatewayError } from '../../domain/gateway-error.ts';

/**
 * Why an operation on the job store failed.
 * - `full`: the disk is full.
 * - `taken-over`: the job belongs to another process now.
 * - `ownerless`: this process is no longer registered: it was stopped for so long that it seemed dead.
 * - `failed`: anything else.
 */
export type FailureCode = 'full' | 'taken-over' | 'ownerless' | 'failed';

const explanations: Readonly<Partial<Record<FailureCode, string>>> = {
  'taken-over': 'the job was taken over by another process',
  ownerless: 'this process was stopped for so long that others have taken over its jobs',
};

/** Unlike a GatewayError it can be told across threads: by its code and its message. */
export class OperationFailure extends Error {
  override readonly name = 'OperationFailure';
  readonly code: FailureCode;

  constructor(code: FailureCode, message = explanations[code] ?? code) {
    super(message);
    this.code = code;
  }
}

const sqliteFull = 13;

/** Tells what SQLite, or the file system under it, has reported. */
export function operationFailure(error: unknown): OperationFailure {
  if (error instanceof OperationFailure) return error;
  const { errcode, code, message } = error as Error & { readonly errcode?: number; readonly code?: string };
  // The lowest byte is the primary code of an extended one: https://sqlite.org/rescode.html
  const isFull = (errcode !== undefined && (errcode & 0xff) === sqliteFull) || code === 'ENOSPC' || code === 'EDQUOT';
  return new OperationFailure(isFull ? 'full' : 'failed', errcode === undefined ? message : `${message} (${errcode})`);
}

/** The error for clients. */
export function jobStoreFailure(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const isFull = cause instanceof OperationFailure && cause.code === 'full';
  const what = isFull ? "The disk of the gateway's job store is full." : "The gateway's job store is not available.";
  const message = `${what} Nothing was sent to the image service.`;
  return new GatewayError(isFull ? 'storage_full' : 'store_unavailable', message, { outcome: 'not-processed', cause });
}
