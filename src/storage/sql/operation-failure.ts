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

/** The error for clients. */
export function jobStoreFailure(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const isFull = cause instanceof OperationFailure && cause.code === 'full';
  const what = isFull ? "The disk of the gateway's job store is full." : "The gateway's job store is not available.";
  const message = `${what} Nothing was sent to the image service.`;
  return new GatewayError(isFull ? 'storage_full' : 'store_unavailable', message, { outcome: 'not-processed', cause });
}
