import type { ImageProvider } from '../domain/image-provider.ts';
import type { Secret } from '../domain/secret.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import { scanJson } from '../upstream/scan-json.ts';
import type { AzureAddress } from './azure-address.ts';
import { azureAnswerError } from './azure-error.ts';
import { commit } from './commit.ts';
import { imageEvents, imagesShape } from './image-events.ts';
import { imagesBody } from './images-body.ts';
import { noteRequestId } from './upstream-request-id.ts';

type Options = {
  readonly id: 'azure-deployment' | 'azure-v1';
  readonly address: AzureAddress;
  readonly apiKey: Secret;
  readonly client: UpstreamClient;
};

/** The synchronous Images API of Azure: one POST, answered with the pictures. Both addressings speak it. */
export function azureImages({ id, address, apiKey, client }: Options): ImageProvider {
  return {
    id,
    address: address.generations.href,
    async generate(request, call) {
      const body = Buffer.from(JSON.stringify(imagesBody(request, address.model)));
      const answer = await client.post(address.generations, {
        apiKey,
        body,
        signal: call.signal,
        attempt: call.attempt,
      });
      noteRequestId(call.attempt, answer.headers);
      if (answer.status < 200 || answer.status > 299) throw await azureAnswerError(answer);
      return commit(imageEvents(scanJson(answer.body, imagesShape), call));
    },
  } satisfies ImageProvider;
}
