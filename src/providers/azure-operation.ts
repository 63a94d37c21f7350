import { z } from 'zod';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import { mostPictures } from '../domain/image-request.ts';
import { pause } from '../domain/pause.ts';
import type { UpstreamAnswer } from '../upstream/client.ts';
import { invalidResponse } from '../upstream/paid-call-error.ts';
import { isFramed, readBounded } from '../upstream/read-bounded.ts';
import { azureErrorMember, errorInSuccess } from './azure-error.ts';
import { parseJson } from './parse-json.ts';
import { pollPause } from './poll-pause.ts';
import { retryHint } from './retry-hint.ts';

/** A poll's body holds links, never pictures. */
const pollLimits = { bytes: 1024 * 1024, ms: 15_000 };

/** An operation may not be known everywhere at once: so long, a 404 is believed to be that. */
const freshMs = 5_000;

const result = z.looseObject({ created: z.number().optional().catch(undefined), data: z.array(z.unknown()) });

/** A poll's answer; versions differ in where the result stands. */
const operation = z.looseObject({
  status: z.string(),
  created: z.number().optional().catch(undefined),
  error: z.unknown().optional(),
  result: result.optional().catch(undefined),
  data: z.array(z.unknown()).optional().catch(undefined),
});

export type Operation = z.infer<typeof operation>;

type Polling = {
  /** One GET of the operation. */
  readonly poll: (signal: AbortSignal) => Promise<UpstreamAnswer>;
  /** What the submit's answer said about when to ask first. */
  readonly firstHintMs: number | undefined;
  readonly signal: AbortSignal;
};

/**
 * Asks until the operation has ended well, and gives its last state. Rejects with a GatewayError when it has ended
 * otherwise, when it is lost, and with the signal's reason. A poll that fails is never a reason to submit again.
 */
export async function pollOperation({ poll, firstHintMs, signal }: Polling): Promise<Operation> {
  const begin = performance.now();
  let hintMs = firstHintMs;
  for (;;) {
    await pause(pollPause({ elapsedMs: performance.now() - begin, hintMs, random: Math.random() }), signal);
    const answer = await pollOnce(poll, signal);
    hintMs = answer === undefined ? undefined : retryHint(answer.headers);
    if (answer === undefined || isPassing(answer.status)) continue;
    if (answer.status === 404 && performance.now() - begin < freshMs) continue;
    if (answer.status !== 200) throw lostOperation(answer.status);
    const state = readOperation(answer.value);
    if (state.status === 'succeeded') return state;
    if (state.status !== 'notRunning' && state.status !== 'running') throw endedOperation(state);
  }
}

/** The links of an operation that has succeeded. Throws a GatewayError when an item has no usable link. */
export function operationEvents(state: Operation): ImageEvent[] {
  const data = state.result?.data ?? state.data ?? [];
  if (data.length === 0) throw invalidResponse('the operation has no result');
  if (data.length > mostPictures) throw invalidResponse('the operation has too many results');
  const links = data.map((item, index): ImageEvent => {
    const { error, url } = (typeof item === 'object' && item !== null ? item : {}) as {
      error?: unknown;
      url?: unknown;
    };
    if (error !== undefined && error !== null) throw errorInSuccess(error);
    if (typeof url !== 'string' || !URL.canParse(url)) throw invalidResponse('an item holds no link');
    return { type: 'url', index, url };
  });
  const created = state.result?.created ?? state.created;
  return [...links, { type: 'done', ...(created !== undefined && created > 0 && { created }) }];
}

type PollAnswer = { readonly status: number; readonly headers: UpstreamAnswer['headers']; readonly value: unknown };

/** One poll; `undefined` when the transport failed or cut the answer, which says nothing about the operation. */
async function pollOnce(poll: Polling['poll'], signal: AbortSignal): Promise<PollAnswer | undefined> {
  try {
    const { status, headers, body } = await poll(AbortSignal.any([signal, AbortSignal.timeout(pollLimits.ms)]));
    const { text, end } = await readBounded(body, pollLimits);
    if (end === 'too long') throw invalidResponse('the answer to a poll is too long');
    const value = end === 'complete' ? parseJson(text) : undefined;
    const mayBeCut = end === 'broken' || (value === undefined && !isFramed(headers));
    return mayBeCut ? undefined : { status, headers, value };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof GatewayError) throw error;
    return undefined;
  }
}

function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

function readOperation(value: unknown): Operation {
  const { success, data, error } = operation.safeParse(value);
  if (!success) throw invalidResponse(error);
  return data;
}

function endedOperation({ status, error }: Operation): GatewayError {
  if (status === 'failed') return azureErrorMember(error);
  if (status === 'canceled') {
    return new GatewayError('upstream_generation_failed', 'The image service gave up before the picture was made.', {
      outcome: 'failed',
    });
  }
  return invalidResponse(status === 'deleted' ? 'the operation was deleted' : 'the operation has an unknown status');
}

function lostOperation(status: number): GatewayError {
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service took the request, but does not say what became of it. The picture may have been made and billed.',
    { outcome: 'unknown', cause: `a poll was answered with status ${status}` },
  );
}
