import { GatewayError } from '../domain/gateway-error.ts';

/** Names whatever goes wrong with the disk while a picture is stored; by then the picture is paid for. */
export async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw storageFailure(cause);
  }
}

/** `cause` is for the log only. */
export function storageFailure(cause: unknown): GatewayError {
  return new GatewayError(
    'storage_failed',
    'A finished picture could not be stored by the gateway. It was not asked for again.',
    { outcome: 'unknown', cause },
  );
}
