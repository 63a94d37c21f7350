import { pauseBeforeRetry } from '../concurrency/free-retry.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { Retrying } from '../domain/retrying.ts';

/** Turns what goes wrong with the disk into a GatewayError; by default that of an image, which is already paid for. */
export async function onDisk<T>(work: Promise<T>, failure = storageFailure): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw cause instanceof GatewayError ? cause : failure(cause);
  }
}

/** A full disk, too many open files, or a network disk that does not respond for a moment. */
const transient = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'ETIMEDOUT', 'ESTALE']);

/**
 * Runs a step of storing an image until it succeeds, fails for good, or has no time left; only once without `retrying`. It
 * must be repeatable. Rejects with a GatewayError, or with the reason of the signal.
 */
export async function retryOnDisk<T>(step: () => Promise<T>, retrying?: Retrying): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await step();
    } catch (error) {
      const failure = error instanceof GatewayError ? error : storageFailure(error);
      if (retrying === undefined || !transient.has(String((error as NodeJS.ErrnoException).code))) throw failure;
      await pauseBeforeRetry(failure, { ...retrying, failures });
    }
  }
}

/** `cause` is for the log only. */
export function storageFailure(cause: unknown): GatewayError {
  return new GatewayError(
    'storage_failed',
    'A finished image could not be stored by the gateway. It was not retried.',
    { outcome: 'unknown', cause },
  );
}

/** The bytes of an image are none that can be stored. `cause` is for the log only. */
export function unusableImage(cause: string): GatewayError {
  return new GatewayError('upstream_invalid_response', 'The image service returned an image that cannot be hosted.', {
    outcome: 'unknown',
    cause,
  });
}

/** There is no room for an image that is about to be bought. */
export function storageFull(): GatewayError {
  const message = "The gateway's image store is full. Nothing was sent to the image service.";
  return new GatewayError('storage_full', message, { outcome: 'not-processed' });
}

/** Nobody knows whether there is room for an image that is about to be bought. */
export function storageUnavailable(cause: unknown): GatewayError {
  const message = "The gateway's image store cannot be used. Nothing was sent to the image service.";
  return new GatewayError('store_unavailable', message, { outcome: 'not-processed', cause });
}

/** Whether an image is there cannot be said at the moment. `cause` is for the log only. */
export function storageUnreachable(cause: unknown): GatewayError {
  const message = "The gateway's image store cannot be reached at the moment. What is in it is not lost.";
  return new GatewayError('store_unavailable', message, { cause });
}
