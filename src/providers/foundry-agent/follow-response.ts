import { MalformedJsonError } from '../../codec/json-text.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { ProviderCall } from '../../domain/image-provider.ts';
import type { UpstreamClient, UpstreamResponse } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { invalidResponse, paidCallError } from '../../upstream/paid-call-error.ts';
import { retryHint } from '../../upstream/retry-hint.ts';
import type { ParameterNames } from '../azure/azure-error-facts.ts';
import { lostJob, pollUntilEnded } from '../azure/poll-until-ended.ts';
import { waitForOutcome } from '../azure/read-response.ts';
import type { ResponsesAddress } from './foundry-target.ts';
import { asPaid, PendingResponseError } from './response-failure.ts';
import { type ResponseContext, responseEvents } from './response-reader.ts';

type Upstream = {
  readonly address: ResponsesAddress;
  readonly credential: Credential;
  readonly client: UpstreamClient;
  readonly parameter: ParameterNames;
};

/** Ids of the Responses API are made of these; anything else could lead elsewhere. */
const usableId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$/;

/**
 * The images of a response that is made in the background: the POST's response has its id, which is noted, and then it is
 * polled until it has ended.
 */
export async function followResponse(
  { headers, body }: UpstreamResponse,
  call: ProviderCall,
  upstream: Upstream,
): Promise<AsyncIterable<ImageEvent>> {
  const { recorder, attempt } = call;
  const first = await readResponse(body, { recorder, parameter: upstream.parameter }).catch((error) => {
    throw paidCallError(error, attempt);
  });
  if ('events' in first) return asPaid(first.events, attempt);
  const { id } = first;
  if (typeof id !== 'string' || !usableId.test(id)) throw invalidResponse('the response has no usable id');
  return pollResponse(id, call, upstream, () => call.note(id), retryHint(headers));
}

/** The images of a response that was accepted before, by the id that was noted then. */
export async function resumeResponse(
  id: string,
  call: ProviderCall,
  upstream: Upstream,
): Promise<AsyncIterable<ImageEvent>> {
  // Whoever has an id has sent, and paid, the POST before.
  call.attempt.sent = true;
  if (!usableId.test(id)) throw lostJob('the handle is no id of a response');
  return pollResponse(id, call, upstream);
}

/** Polls until the response has ended. It is cancelled when nobody will know how it ends. @param note awaited before */
async function pollResponse(
  id: string,
  call: ProviderCall,
  { address, credential, client, parameter }: Upstream,
  note = async () => {},
  firstHintMs?: number,
): Promise<AsyncIterable<ImageEvent>> {
  const { signal, attempt, recorder, retryUntil = Number.POSITIVE_INFINITY } = call;
  const context = { recorder, parameter, isPolled: true };
  let hasEnded = false;
  const readJob = () =>
    pollUntilEnded({
      poll: (limited) => client.get(address.response(id), { credential, signal: limited }),
      async read(poll) {
        const response = await readResponse(poll.body, context).catch((error) => {
          // The signal's reason is one, too, and says nothing about the job.
          hasEnded = error instanceof GatewayError && !signal.aborted;
          throw error;
        });
        return 'events' in response ? response.events : undefined;
      },
      firstHintMs,
      signal,
      until: retryUntil,
    });
  try {
    await note();
    return asPaid(continueEvents(await readJob(), readJob, retryUntil), attempt);
  } catch (error) {
    // It would run on and be billed, for nobody.
    if (!hasEnded && !call.isFollowed) client.cancel(address.cancel(id), credential);
    throw error;
  }
}

type Read = { readonly events: AsyncIterable<ImageEvent> } | { readonly id: unknown };

/**
 * The images of a response that has ended well, the id of one that has not ended. Rejects with a GatewayError for one that
 * has ended otherwise, and with what breaks the body.
 */
async function readResponse(body: AsyncIterable<Buffer>, context: ResponseContext): Promise<Read> {
  try {
    return { events: await waitForOutcome(responseEvents(body, context)) };
  } catch (error) {
    if (error instanceof PendingResponseError) return { id: error.responseId };
    throw error;
  }
}

/**
 * The events of a finished response that can be read again for free: where its body is cut, the next reading goes on behind
 * what was handed on already. A finished response does not change, so equal positions hold equal events. Throws what is no
 * cut, and the cut itself when there is no time left (`until`, as of `performance.now()`).
 */
async function* continueEvents(
  first: AsyncIterable<ImageEvent>,
  readAgain: () => Promise<AsyncIterable<ImageEvent>>,
  until: number,
): AsyncGenerator<ImageEvent> {
  const handedOn = { bytes: 0, others: 0 };
  for (let events = first; ; ) {
    try {
      yield* behind(handedOn, events);
      return;
    } catch (error) {
      if (!isCut(error) || performance.now() >= until) throw error;
    }
    events = await readAgain();
  }
}

function isCut(error: unknown): boolean {
  return !(error instanceof GatewayError) && (!(error instanceof MalformedJsonError) || error.isCut);
}

/** What follows behind a position, which moves along: bytes of images, and all other events. */
async function* behind(
  position: { bytes: number; others: number },
  events: AsyncIterable<ImageEvent>,
): AsyncGenerator<ImageEvent> {
  const seen = { bytes: 0, others: 0 };
  for await (const event of events) {
    if (event.type !== 'bytes') {
      seen.others += 1;
      if (seen.others <= position.others) continue;
      position.others = seen.others;
      yield event;
      continue;
    }
    const chunk = event.chunk.subarray(Math.max(0, position.bytes - seen.bytes));
    seen.bytes += event.chunk.length;
    if (chunk.length === 0) continue;
    position.bytes = seen.bytes;
    yield { type: 'bytes', chunk };
  }
}
