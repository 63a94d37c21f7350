import { GatewayError } from '../domain/gateway-error.ts';

/** Names whatever goes wrong with the disk; by default that of a picture, which is paid for by then. */
export async function onDisk<T>(work: Promise<T>, failure = storageFailure): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw failure(cause);
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
