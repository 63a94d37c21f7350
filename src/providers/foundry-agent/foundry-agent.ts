import type { ImageEvent } from '../../domain/image-event.ts';
import type { Attempt, ImageProvider } from '../../domain/image-provider.ts';
import { operations } from '../../domain/image-request.ts';
import type { ResponseBody } from '../../upstream/exchange.ts';
import { azureAnswerError } from '../azure/azure-error.ts';
import { commit, sniffJson } from '../azure/read-response.ts';
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
      const answer = await client.post(
        address.responses,
        { credential, headers, body, isStream: request.stream },
        call,
      );
      if (answer.status < 200 || answer.status > 299) throw await azureAnswerError(answer, parameter, chatDeployment);
      if (background && !request.stream) return followResponse(answer, call, upstream);
      const context = { recorder, parameter };
      const events = request.stream
        ? await streamedEvents(answer.body, context, attempt)
        : responseEvents(answer.body, context);
      return commit(asPaid(events, attempt));
    },
    ...(background && { resume: (handle, call) => resumeResponse(handle, call, upstream) }),
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
