import { scanJson } from '../../codec/scan-json.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { ImageProvider, ProviderCall } from '../../domain/image-provider.ts';
import { type ImageRequest, operations } from '../../domain/image-request.ts';
import type { OpenSpool } from '../../domain/input-spool.ts';
import type { UpstreamClient } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { jsonBody, type PaidBody } from '../../upstream/paid-body.ts';
import { azureAnswerError } from '../azure/azure-error.ts';
import { commit } from '../azure/commit.ts';
import { imageEvents, imagesShape } from '../azure/image-events.ts';
import { imagesBody } from '../azure/images-body.ts';
import { sniffJson } from '../azure/sniff-json.ts';
import { streamEvents } from '../azure/stream-events.ts';
import { noteRequestId } from '../azure/upstream-request-id.ts';
import type { AzureAddress } from './azure-address.ts';
import { editsForm } from './edits-form.ts';

type Options = {
  readonly id: 'azure-deployment' | 'azure-v1';
  readonly address: AzureAddress;
  readonly credential: Credential;
  readonly client: UpstreamClient;
  /** Keeps images out of memory that cannot be handed on yet. */
  readonly openSpool: OpenSpool;
};

/** The synchronous Images API of Azure: one POST, answered with the images. Both addressings speak it. */
export function azureImages({ id, address, credential, client, openSpool }: Options): ImageProvider {
  return {
    id,
    operations,
    address: address.generations.href,
    async generate(request, call) {
      const { url, body } = paidCall(request, address);
      const answer = await client.post(url, { credential, body, isStream: request.stream }, call);
      noteRequestId(call.attempt, answer.headers);
      if (answer.status < 200 || answer.status > 299)
        throw await azureAnswerError(answer, undefined, address.deployment);
      return commit(await readAnswer(answer.body, request, call, openSpool));
    },
  } satisfies ImageProvider;
}

function paidCall(request: ImageRequest, { generations, edits, model }: AzureAddress): { url: URL; body: PaidBody } {
  const { edit } = request;
  if (edit !== undefined) return { url: edits, body: editsForm(request, edit, model) };
  return { url: generations, body: jsonBody(imagesBody(request, model)) };
}

/** The events of a successful answer. Who asks for a stream may get JSON all the same, whatever its content type says. */
async function readAnswer(
  body: AsyncIterable<Buffer>,
  { stream, count }: ImageRequest,
  call: ProviderCall,
  openSpool: OpenSpool,
): Promise<AsyncGenerator<ImageEvent>> {
  if (!stream) return imageEvents(scanJson(body, imagesShape), call);
  const { isJson, whole } = await sniffJson(body, call.attempt);
  return isJson ? imageEvents(scanJson(whole, imagesShape), call) : streamEvents(whole, count, call, openSpool);
}
