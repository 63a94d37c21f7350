import type { ImageEvent } from '../../domain/image-event.ts';
import type { Attempt, ImageProvider } from '../../domain/image-provider.ts';
import { operations } from '../../domain/image-request.ts';
import type { ResponseBody } from '../../upstream/exchange.ts';
import { requireSuccess } from '../azure/azure-error.ts';
import { sniffJson, waitForOutcome } from '../azure/read-response.ts';
import type { ProviderDeps, ProviderDescriptor } from '../provider-descriptor.ts';
import { followResponse, resumeResponse } from './follow-response.ts';
import { type FoundryAgentConfig, foundryTarget, responsesAddress } from './foundry-target.ts';
import { agentParameter, responseBody, toolParameter } from './response-body.ts';
import { asPaid } from './response-failure.ts';
import { type ResponseContext, responseEvents } from './response-reader.ts';
import { responseStream } from './response-stream.ts';

/** The image generation tool of the Responses API: of an agent in Foundry Agent Service, or of a chat deployment. */
export const foundryAgent: ProviderDescriptor<FoundryAgentConfig> = { ...foundryTarget, create };

function create(config: FoundryAgentConfig, { credential, client }: ProviderDeps): ImageProvider {
  const { chatDeployment, imageDeployment, background = false } = config;
  const parameter = chatDeployment === undefined ? agentParameter : toolParameter;
  const address = responsesAddress(config);
  const upstream = { address, credential, client, parameter };
  const headers = { 'x-ms-oai-image-generation-deployment': imageDeployment };
  return {
    id: 'foundry-agent',
    operations,
    async generate(request, call) {
      const { attempt, recorder } = call;
      const body = responseBody(request, config);
      const response = await client.post(
        address.responses,
        { credential, headers, body, isStream: request.stream },
        call,
      );
      await requireSuccess(response, parameter, chatDeployment);
      if (background && !request.stream) return followResponse(response, call, upstream);
      const context = { recorder, parameter };
      const events = request.stream
        ? await streamedEvents(response.body, context, attempt)
        : responseEvents(response.body, context);
      return waitForOutcome(asPaid(events, attempt));
    },
    ...(background && {
      cancelsAccepted: true,
      resume: (handle, call) => resumeResponse(handle, call, upstream),
    }),
  } satisfies ImageProvider;
}

/** Who asks for a stream may get JSON all the same, whatever its content type says. */
async function streamedEvents(
  body: ResponseBody,
  context: ResponseContext,
  attempt: Attempt,
): Promise<AsyncGenerator<ImageEvent>> {
  const { isJson, whole } = await sniffJson(body, attempt);
  return isJson ? responseEvents(whole, context) : responseStream(whole, context, () => body.destroy());
}
