import { pauseBeforeRetry } from '../concurrency/free-retry.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { Retrying } from '../domain/retrying.ts';

/** Names whatever goes wrong with the disk; by default that of an image, which is paid for by then. */
export async function onDisk<T>(work: Promise<T>, failure = storageFailure): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw cause instanceof GatewayError ? cause : failure(cause);
  }
}

/** What may pass: a full disk, too many open files, a disk in a network that does not answer for a moment. */
const passing = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'ETIMEDOUT', 'ESTALE']);

/** Runs a step of storing an image until it succeeds, fails for good, or has no time left. It must be repeatable. */
export async function retryOnDisk<T>(step: () => Promise<T>, retrying: Retrying): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await step();
    } catch (error) {
      const failure = storageFailure(error);
      if (!passing.has(String((error as NodeJS.ErrnoException).code))) throw failure;
      await pauseBeforeRetry(failure, { ...retrying, failures });
    }
  }
}

/** `cause` is for the log only. */
export function storageFailure(cause: unknown): GatewayError {
  return new GatewayError(
    'storage_failed',
    'A finished image could not be stored by the gateway. It was not asked for again.',
    { outcome: 'unknown', cause },
  );
}
