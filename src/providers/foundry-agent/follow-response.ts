import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { UpstreamAnswer, UpstreamClient } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { invalidResponse, paidCallError } from '../../upstream/paid-call-error.ts';
import { retryHint } from '../../upstream/retry-hint.ts';
import { commit } from '../azure/commit.ts';
import { pollUntilEnded } from '../azure/poll-until-ended.ts';
import { asPaid } from './as-paid.ts';
import { continueEvents } from './continue-events.ts';
import { responseEvents } from './response-events.ts';
import { PendingResponseError } from './response-failure.ts';
import type { ResponseCall } from './response-reader.ts';
import type { ResponsesAddress } from './responses-address.ts';

type Upstream = {
  readonly address: ResponsesAddress;
  readonly credential: Credential;
  readonly client: UpstreamClient;
};

/** Ids of the Responses API are made of these; anything else could lead elsewhere. */
const usableId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$/;

/**
 * The images of a response that is made in the background: the POST's answer has its id, and the response is asked for
 * until it has ended. It is cancelled when nobody will know how it ends.
 */
export async function followResponse(
  { headers, body }: UpstreamAnswer,
  call: ResponseCall,
  { address, credential, client }: Upstream,
): Promise<AsyncIterable<ImageEvent>> {
  const { signal, attempt } = call;
  const first = await readResponse(body, call).catch((error) => {
    throw paidCallError(error, attempt);
  });
  if ('events' in first) return asPaid(first.events, attempt);
  const { id } = first;
  if (typeof id !== 'string' || !usableId.test(id)) throw invalidResponse('the response has no usable id');
  let hasEnded = false;
  const readJob = () =>
    pollUntilEnded({
      poll: (limited) => client.get(address.response(id), { credential, signal: limited }),
      async read(answer) {
        const response = await readResponse(answer.body, { ...call, isPolled: true }).catch((error) => {
          // The signal's reason is one, too, and says nothing about the job.
          hasEnded = error instanceof GatewayError && !signal.aborted;
          throw error;
        });
        return 'events' in response ? response.events : undefined;
      },
      firstHintMs: retryHint(headers),
      signal,
      until: call.retryUntil,
    });
  try {
    const { retryUntil = Number.POSITIVE_INFINITY } = call;
    return asPaid(continueEvents(await readJob(), readJob, retryUntil), attempt);
  } catch (error) {
    // It would run on and be billed, for nobody.
    if (!hasEnded) client.cancel(address.cancel(id), credential);
    throw error;
  }
}

type Read = { readonly events: AsyncIterable<ImageEvent> } | { readonly id: unknown };

/**
 * The images of a response that has ended well, the id of one that has not ended. Rejects with a GatewayError for one that
 * has ended otherwise, and with what breaks the body.
 */
async function readResponse(body: AsyncIterable<Buffer>, call: ResponseCall): Promise<Read> {
  try {
    return { events: await commit(responseEvents(body, call)) };
  } catch (error) {
    if (error instanceof PendingResponseError) return { id: error.responseId };
    throw error;
  }
}
