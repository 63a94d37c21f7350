import { pause } from '../../concurrency/pause.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { UpstreamResponse } from '../../upstream/client.ts';
import { retryHint } from '../../upstream/retry-hint.ts';

/** So long one poll may take, until what it says about the job is known. */
const pollMs = 15_000;

type Polling<T> = {
  /** One GET of the job. */
  readonly poll: (signal: AbortSignal) => Promise<UpstreamResponse>;
  /**
   * What a response with status 200 says: the result of a job that has ended well, `undefined` while it runs. Throws a
   * GatewayError for any other end; anything else that it throws says nothing about the job.
   */
  readonly read: (response: UpstreamResponse) => Promise<T | undefined>;
  /** What the submit's response said about when to poll first. */
  readonly firstHintMs?: number | undefined;
  readonly signal: AbortSignal;
  /** When the last poll may begin, as of `performance.now()`; by default only the signal ends the polls. */
  readonly until?: number | undefined;
};

/**
 * Polls until a job has ended well. Rejects with a GatewayError when it has ended otherwise, and with the signal's reason.
 * A poll that fails is no end, whatever its status: the job is paid for, polls are free, and a proxy or a replica in
 * between may not know it for a while. Nor is it ever a reason to submit again.
 */
export async function pollUntilEnded<T>(polling: Polling<T>): Promise<T> {
  const { firstHintMs, signal, until = Number.POSITIVE_INFINITY } = polling;
  const begin = performance.now();
  let hintMs = firstHintMs;
  let lost: GatewayError | undefined;
  for (;;) {
    const pauseMs = pollPause({ elapsedMs: performance.now() - begin, hintMs, random: Math.random() });
    if (lost && performance.now() + pauseMs >= until) throw lost;
    await pause(pauseMs, signal);
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), pollMs);
    try {
      const response = await orNothing(polling.poll(AbortSignal.any([signal, limit.signal])), signal);
      hintMs = response && retryHint(response.headers);
      const said = response && (await readPoll(response, polling));
      if (said?.result !== undefined) return said.result;
      lost = said?.unusable === undefined ? undefined : lostJob(said.unusable);
    } finally {
      // An image that has begun to arrive may take longer.
      clearTimeout(timer);
    }
  }
}

/** What a failed transport, or a token that is not to be had, says about the job: nothing. */
async function orNothing<T>(poll: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await poll;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** `unusable`: why this is no response of the service to a poll; a busy one is. */
type Said<T> = { readonly result?: T | undefined; readonly unusable?: unknown };

async function readPoll<T>(response: UpstreamResponse, { read, signal }: Polling<T>): Promise<Said<T>> {
  const { status } = response;
  if (status !== 200) {
    response.body.destroy();
    const isBusy = status === 408 || status === 429 || status >= 500;
    return isBusy ? {} : { unusable: `a poll was answered with status ${status}` };
  }
  try {
    return { result: await read(response) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof GatewayError) throw error;
    return { unusable: error };
  }
}

/** The job was accepted, but nothing more can be learned about it. */
export function lostJob(cause: unknown): GatewayError {
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service took the request, but does not say what became of it. The image may have been made and billed.',
    { outcome: 'unknown', cause },
  );
}

const shortestMs = 250;
const maxMs = 1_750;

/** No hint makes us poll more often than this, or sleep longer. */
const hintLimits = { shortestMs: 100, maxMs: 30_000 };

/**
 * How long to wait before the next poll, in ms. What the upstream asks for decides, within limits; without it, half of
 * the time that has passed since the submit, so that a result is noticed soon relative to its duration without hammering,
 * give or take 5 % so that many operations do not poll in step. `random` is in [0, 1).
 */
export function pollPause({
  elapsedMs,
  hintMs,
  random,
}: {
  elapsedMs: number;
  hintMs: number | undefined;
  random: number;
}): number {
  if (hintMs !== undefined) return Math.min(hintLimits.maxMs, Math.max(hintLimits.shortestMs, hintMs));
  const pause = Math.min(maxMs, Math.max(shortestMs, elapsedMs / 2));
  return pause * (0.95 + random / 10);
}
