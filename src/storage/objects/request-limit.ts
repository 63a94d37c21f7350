/** A request without a body that streams: a part of 5 MiB takes 21 s at 2 Mbit/s. */
const requestMs = 30_000;

/** Ends with the caller's signal, or when a request takes too long. */
export function limited(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(requestMs)]);
}

/** Limits the wait for the head of a response, and not its body. */
export async function untilHead<T>(signal: AbortSignal, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new DOMException('no response in time', 'TimeoutError')), requestMs);
  try {
    return await request(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** The result of work, or the signal's reason as soon as it is aborted, whether the work obeys it or not. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
