import { GatewayError } from '../domain/gateway-error.ts';
import { pause } from '../domain/pause.ts';
import type { UpstreamAnswer } from '../upstream/client.ts';
import { pollPause } from './poll-pause.ts';
import { retryHint } from './retry-hint.ts';

/** So long one poll may take, until what it says about the job is known. */
const pollMs = 15_000;

/** A job may not be known everywhere at once: so long, a 404 is believed to be that. */
const freshMs = 5_000;

type Polling<T> = {
  /** One GET of the job. */
  readonly poll: (signal: AbortSignal) => Promise<UpstreamAnswer>;
  /**
   * What an answer with status 200 says: the result of a job that has ended well, `undefined` while it runs. Throws a
   * GatewayError for any other end; anything else that it throws says nothing about the job.
   */
  readonly read: (answer: UpstreamAnswer) => Promise<T | undefined>;
  /** What the submit's answer said about when to ask first. */
  readonly firstHintMs: number | undefined;
  readonly signal: AbortSignal;
};

/**
 * Asks until a job has ended well. Rejects with a GatewayError when it has ended otherwise, when it is lost, and with the
 * signal's reason. A poll that fails is never a reason to submit again.
 */
export async function pollUntilEnded<T>(polling: Polling<T>): Promise<T> {
  const { firstHintMs, signal } = polling;
  const begin = performance.now();
  let hintMs = firstHintMs;
  for (;;) {
    await pause(pollPause({ elapsedMs: performance.now() - begin, hintMs, random: Math.random() }), signal);
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), pollMs);
    try {
      const answer = await orNothing(polling.poll(AbortSignal.any([signal, limit.signal])), signal);
      hintMs = answer && retryHint(answer.headers);
      const isFresh = performance.now() - begin < freshMs;
      const result = answer && (await readAnswer(answer, polling, isFresh));
      if (result !== undefined) return result;
    } finally {
      // A picture that has begun to arrive may take longer.
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

async function readAnswer<T>(
  answer: UpstreamAnswer,
  { read, signal }: Polling<T>,
  isFresh: boolean,
): Promise<T | undefined> {
  if (answer.status !== 200) {
    answer.body.destroy();
    if (isPassing(answer) || (isFresh && answer.status === 404)) return undefined;
    throw lostJob(answer.status);
  }
  try {
    return await read(answer);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof GatewayError) throw error;
    return undefined;
  }
}

function isPassing({ status, renewal = 'never' }: UpstreamAnswer): boolean {
  return status === 408 || status === 429 || status >= 500 || renewal !== 'never';
}

function lostJob(status: number): GatewayError {
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service took the request, but does not say what became of it. The picture may have been made and billed.',
    { outcome: 'unknown', cause: `a poll was answered with status ${status}` },
  );
}
