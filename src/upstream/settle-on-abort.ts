/**
 * The promise's result, or a rejection with the signal's reason as soon as it is aborted: undici obeys an abort during
 * connect only when the attempt to connect has ended. A result that comes too late goes to `discard`.
 */
export function settleOnAbort<T>(promise: Promise<T>, signal: AbortSignal, discard: (late: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise
      .then((value) => (signal.aborted ? discard(value) : resolve(value)), reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
