import { Readable } from 'node:stream';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { ImageProvider, ProviderCall, UpstreamHandle } from '../../domain/image-provider.ts';
import type { UpstreamAnswer, UpstreamClient } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { jsonBody, type PaidBody } from '../../upstream/paid-body.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { readBounded } from '../../upstream/read-bounded.ts';
import { retryHint } from '../../upstream/retry-hint.ts';
import { azureAnswerError, errorBodyLimits, errorInSuccess } from '../azure/azure-error.ts';
import { memberOf } from '../azure/azure-error-facts.ts';
import { imagesBody } from '../azure/images-body.ts';
import { parseJson } from '../azure/parse-json.ts';
import { lostJob, pollUntilEnded } from '../azure/poll-until-ended.ts';
import { noteRequestId } from '../azure/upstream-request-id.ts';
import { operationEvents, readOperation } from './azure-operation.ts';
import { operationUrl, operationUrlOf } from './operation-url.ts';

type Options = {
  /** The resource's root, without a trailing slash; the protocol's paths begin with `/openai/`. */
  readonly baseURL: string;
  readonly apiVersion: string;
  readonly credential: Credential;
  readonly client: UpstreamClient;
};

/** The legacy asynchronous flow of Azure's DALL·E 2 (2023-06-01-preview): submit, poll the operation, take its links. */
export function azureAsync({ baseURL, apiVersion, credential, client }: Options): ImageProvider {
  const submitUrl = new URL(`${baseURL}/openai/images/generations:submit`);
  submitUrl.searchParams.set('api-version', apiVersion);

  /** Submits the job; gives the URL to poll, and what the answer says about when to do so first. */
  async function submit(body: PaidBody, call: ProviderCall): Promise<{ url: URL; firstHintMs: number | undefined }> {
    const answer = await client.post(submitUrl, { credential, body }, call);
    noteRequestId(call.attempt, answer.headers);
    if (answer.status < 200 || answer.status > 299) throw await azureAnswerError(answer);
    const location = operationUrl(answer.headers['operation-location'], baseURL);
    const firstHintMs = retryHint(answer.headers);
    if ('refused' in location) return { url: await urlInBody(answer, location.refused), firstHintMs };
    // The body only repeats what the header says.
    answer.body.destroy();
    if (location.isForeignHost) call.recorder.anomaly('foreign_operation_host');
    return { url: location.url, firstHintMs };
  }

  /**
   * Where to poll a job of which only the body says which one it is. Rejects when it says that there is none, and when
   * it cannot be followed: then it may run, and be billed.
   */
  async function urlInBody({ body }: UpstreamAnswer, cause: string): Promise<URL> {
    const state = parseJson((await readBounded(body, errorBodyLimits)).text);
    const error = memberOf(state, 'error') ?? undefined;
    if (error !== undefined) throw errorInSuccess(error);
    const url = operationUrlOf(memberOf(state, 'id'), baseURL, apiVersion);
    if (url === undefined) throw invalidResponse(cause);
    return url;
  }

  /** Polls an operation until it has ended, and gives its links. */
  async function follow(url: URL, call: ProviderCall, firstHintMs?: number): Promise<AsyncIterable<ImageEvent>> {
    const operation = await pollUntilEnded({
      poll: (signal) => client.get(url, { credential, signal }),
      read: readOperation,
      firstHintMs,
      signal: call.signal,
      until: call.retryUntil,
    });
    return Readable.from(operationEvents(operation));
  }

  return {
    id: 'azure-async',
    operations: ['generate'],
    address: submitUrl.href,
    async generate(request, call) {
      const body = jsonBody({ ...imagesBody(request, undefined), response_format: undefined });
      const { url, firstHintMs } = await submit(body, call);
      await call.note(handleOf(url));
      return follow(url, call, firstHintMs);
    },
    async resume(handle, call) {
      // Whoever has a handle has sent, and paid, the submit before.
      call.attempt.sent = true;
      const location = operationUrl(handle, baseURL);
      // Anything but the path and query that `generate` notes may lead elsewhere.
      if ('refused' in location || handleOf(location.url) !== handle) {
        throw lostJob('the handle names no operation of this resource');
      }
      return follow(location.url, call);
    },
  } satisfies ImageProvider;
}

function handleOf({ pathname, search }: URL): UpstreamHandle {
  return `${pathname}${search}`;
}
