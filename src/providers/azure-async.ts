import type { ImageEvent } from '../domain/image-event.ts';
import type { ImageProvider, ProviderCall } from '../domain/image-provider.ts';
import type { Secret } from '../domain/secret.ts';
import type { UpstreamAnswer, UpstreamClient } from '../upstream/client.ts';
import { invalidResponse } from '../upstream/paid-call-error.ts';
import { azureAnswerError } from './azure-error.ts';
import { operationEvents, pollOperation } from './azure-operation.ts';
import { imagesBody } from './images-body.ts';
import { operationUrl } from './operation-url.ts';
import { retryHint } from './retry-hint.ts';
import { noteRequestId } from './upstream-request-id.ts';

type Options = {
  /** The resource's root, without a trailing slash; the protocol's paths begin with `/openai/`. */
  readonly baseURL: string;
  readonly apiVersion: string;
  readonly apiKey: Secret;
  readonly client: UpstreamClient;
};

/** The legacy asynchronous flow of Azure's DALL·E 2 (2023-06-01-preview): submit, poll the operation, take its links. */
export function azureAsync({ baseURL, apiVersion, apiKey, client }: Options): ImageProvider {
  const submitUrl = new URL(`${baseURL}/openai/images/generations:submit`);
  submitUrl.searchParams.set('api-version', apiVersion);

  async function submit(body: Buffer, call: ProviderCall): Promise<UpstreamAnswer> {
    const answer = await client.post(submitUrl, { apiKey, body, signal: call.signal, attempt: call.attempt });
    noteRequestId(call.attempt, answer.headers);
    if (answer.status < 200 || answer.status > 299) throw await azureAnswerError(answer);
    // Everything that is needed stands in the header; the body repeats it.
    answer.body.on('error', () => {}).destroy();
    return answer;
  }

  return {
    id: 'azure-async',
    address: submitUrl.href,
    async generate(request, call) {
      const body = Buffer.from(JSON.stringify({ ...imagesBody(request, undefined), response_format: undefined }));
      const { headers } = await submit(body, call);
      const location = operationUrl(headers['operation-location'], baseURL);
      if ('refused' in location) throw invalidResponse(location.refused);
      if (location.isForeignHost) call.recorder.anomaly('foreign_operation_host');
      const operation = await pollOperation({
        poll: (signal) => client.get(location.url, { apiKey, signal }),
        firstHintMs: retryHint(headers),
        signal: call.signal,
      });
      return replay(operationEvents(operation));
    },
  } satisfies ImageProvider;
}

async function* replay(events: readonly ImageEvent[]): AsyncGenerator<ImageEvent> {
  yield* events;
}
