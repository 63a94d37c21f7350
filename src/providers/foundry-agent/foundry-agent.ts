import type { ImageEvent } from '../../domain/image-event.ts';
import type { Attempt, ImageProvider } from '../../domain/image-provider.ts';
import { operations } from '../../domain/image-request.ts';
import type { AnswerBody } from '../../upstream/answer-body.ts';
import { azureAnswerError } from '../azure/azure-error.ts';
import { commit } from '../azure/commit.ts';
import { sniffJson } from '../azure/sniff-json.ts';
import { noteRequestId } from '../azure/upstream-request-id.ts';
import type { ProviderDeps, ProviderDescriptor } from '../provider-descriptor.ts';
import { asPaid } from './as-paid.ts';
import { followResponse, resumeResponse } from './follow-response.ts';
import { type FoundryAgentConfig, foundryTarget } from './foundry-target.ts';
import { responseBody } from './response-body.ts';
import { responseEvents } from './response-events.ts';
import type { ResponseContext } from './response-reader.ts';
import { responseStream } from './response-stream.ts';
import { responsesAddress } from './responses-address.ts';
import { agentParameter, toolParameter } from './tool-parameter.ts';

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
      noteRequestId(attempt, answer.headers);
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
  body: AnswerBody,
  context: ResponseContext,
  attempt: Attempt,
): Promise<AsyncGenerator<ImageEvent>> {
  const { isJson, whole } = await sniffJson(body, attempt);
  return isJson ? responseEvents(whole, context) : responseStream(whole, context, () => body.destroy());
}
