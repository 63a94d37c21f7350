import type { ImageEvent } from '../../domain/image-event.ts';
import type { Attempt, ImageProvider } from '../../domain/image-provider.ts';
import { operations } from '../../domain/image-request.ts';
import { agentCapabilities, toolCapabilities } from '../../domain/image-tool.ts';
import type { AnswerBody } from '../../upstream/answer-body.ts';
import type { UpstreamClient } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { azureAnswerError } from '../azure/azure-error.ts';
import { commit } from '../azure/commit.ts';
import { sniffJson } from '../azure/sniff-json.ts';
import { noteRequestId } from '../azure/upstream-request-id.ts';
import { asPaid } from './as-paid.ts';
import { followResponse, resumeResponse } from './follow-response.ts';
import { type Artist, responseBody } from './response-body.ts';
import { responseEvents } from './response-events.ts';
import type { ResponseContext } from './response-reader.ts';
import { responseStream } from './response-stream.ts';
import { responsesAddress } from './responses-address.ts';
import { agentParameter, toolParameter } from './tool-parameter.ts';

type Options = {
  /** The Foundry project, or the resource; without a trailing slash. */
  readonly baseURL: string;
  readonly apiVersion: string | undefined;
  readonly artist: Artist;
  /** The deployment that draws. */
  readonly imageDeployment: string;
  /** What that deployment is, e.g. `gpt-image-2`. */
  readonly imageModel: string;
  /** Whether the call only starts a job, which is polled. */
  readonly isBackground: boolean;
  /** The longest data URL that the upstream takes; `undefined`: any. */
  readonly maxInlineImageChars: number | undefined;
  readonly credential: Credential;
  readonly client: UpstreamClient;
};

/** The image generation tool of the Responses API: of an agent in Foundry Agent Service, or of a chat deployment. */
export function foundryAgent(options: Options): ImageProvider {
  const { baseURL, apiVersion, artist, imageDeployment, maxInlineImageChars, credential, client } = options;
  const isAgent = 'agent' in artist;
  const capabilities = isAgent ? agentCapabilities : toolCapabilities;
  const parameter = isAgent ? agentParameter : toolParameter;
  const chatDeployment = 'chatDeployment' in artist ? artist.chatDeployment : undefined;
  const address = responsesAddress(baseURL, apiVersion);
  const upstream = { address, credential, client, parameter };
  const headers = { 'x-ms-oai-image-generation-deployment': imageDeployment };
  return {
    id: 'foundry-agent',
    operations,
    capabilities: { ...capabilities, ...(maxInlineImageChars !== undefined && { maxInlineImageChars }) },
    address: address.responses.href,
    remarks: remarksOf(options),
    async generate(request, call) {
      const { attempt, recorder } = call;
      const body = responseBody(request, options);
      const post = { credential, headers, body, isStream: request.stream };
      const answer = await client.post(address.responses, post, call);
      noteRequestId(attempt, answer.headers);
      if (answer.status < 200 || answer.status > 299) throw await azureAnswerError(answer, parameter, chatDeployment);
      if (options.isBackground && !request.stream) return followResponse(answer, call, upstream);
      const context = { recorder, parameter };
      const events = request.stream
        ? await streamedEvents(answer.body, context, attempt)
        : responseEvents(answer.body, context);
      return commit(asPaid(events, attempt));
    },
    ...(options.isBackground && { resume: (handle, call) => resumeResponse(handle, call, upstream) }),
  } satisfies ImageProvider;
}

function remarksOf({ artist, imageDeployment, isBackground }: Options): readonly string[] {
  const who =
    'agent' in artist
      ? [
          artist.agent === undefined ? 'published agent' : `agent ${artist.agent}`,
          ...(artist.version === undefined ? [] : [`version ${artist.version}`]),
        ]
      : [`chat deployment ${artist.chatDeployment}`];
  return [...who, `draws with ${imageDeployment}`, ...(isBackground ? ['in the background'] : [])];
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
