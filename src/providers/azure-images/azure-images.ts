import { scanJson } from '../../codec/json-scanner.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { ImageProvider } from '../../domain/image-provider.ts';
import { operations } from '../../domain/image-request.ts';
import { jsonBody } from '../../upstream/client.ts';
import { requireSuccess } from '../azure/azure-error.ts';
import { editsForm } from '../azure/edits-form.ts';
import { imageEvents, imagesShape } from '../azure/image-events.ts';
import { streamEvents } from '../azure/image-stream.ts';
import { imagesBody } from '../azure/images-body.ts';
import { sniffJson, waitForOutcome } from '../azure/read-response.ts';
import type { ProviderDeps } from '../provider-descriptor.ts';

/** Where an Azure deployment is called, and how the body names it. */
export type AzureAddress = {
  readonly generations: URL;
  readonly edits: URL;
  /** The `model` of the body or form; `undefined`: the path names the deployment, and Azure refuses the member. */
  readonly model: string | undefined;
  /** For the operator's hints. */
  readonly deployment: string;
};

type Options = ProviderDeps & { readonly id: string; readonly address: AzureAddress };

/** The synchronous Images API of Azure: one POST, whose response holds the images. Both addressings speak it. */
export function azureImages({ id, address, credential, client, openInputs }: Options): ImageProvider {
  return {
    id,
    operations,
    async generate(request, call) {
      const { edit, stream } = request;
      const parameters = imagesBody(request, address.model);
      const body = edit ? editsForm(parameters, edit) : jsonBody(parameters);
      const url = edit ? address.edits : address.generations;
      const response = await client.post(url, { credential, body, isStream: stream }, call);
      await requireSuccess(response, undefined, address.deployment);
      if (!stream) return waitForOutcome(imageEvents(scanJson(response.body, imagesShape), call));
      // Who asks for a stream may get JSON all the same, whatever its content type says.
      const { isJson, whole } = await sniffJson(response.body, call.attempt);
      const events: AsyncGenerator<ImageEvent> = isJson
        ? imageEvents(scanJson(whole, imagesShape), call)
        : streamEvents(whole, request.count, call, openInputs);
      return waitForOutcome(events);
    },
  };
}
