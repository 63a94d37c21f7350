import { scanJson } from '../../codec/json-scanner.ts';
import type { ImageEvent, ImageUsage } from '../../domain/image-event.ts';
import type { ImageProvider } from '../../domain/image-provider.ts';
import { type ImageRequest, operations } from '../../domain/image-request.ts';
import { jsonBody } from '../../upstream/client.ts';
import { requireSuccess } from '../azure/azure-error.ts';
import { edgesOfSize, parametersBesideSize, sizeOfEdges } from '../azure/edge-size.ts';
import { editsForm } from '../azure/edits-form.ts';
import { imageEvents, imagesShape } from '../azure/image-events.ts';
import { waitForOutcome } from '../azure/read-response.ts';
import type { ProviderDeps } from '../provider-descriptor.ts';

export type MaiAddress = {
  readonly generations: URL;
  readonly edits: URL;
  /** The body's `model`. */
  readonly deployment: string;
};

type Options = Pick<ProviderDeps, 'client' | 'credential'> & { readonly address: MaiAddress };

/** One POST for one image. */
export function maiImages({ address, credential, client }: Options): ImageProvider {
  return {
    id: 'mai',
    operations,
    async generate(request, call) {
      const { edit } = request;
      const body = edit
        ? editsForm(parametersOf(request, address.deployment), edit)
        : jsonBody(generationBody(request, address.deployment));
      const url = edit ? address.edits : address.generations;
      const response = await client.post(url, { credential, body }, call);
      await requireSuccess(response, sizeOfEdges, address.deployment);
      return waitForOutcome(inKnownTokens(imageEvents(scanJson(response.body, imagesShape), call)));
    },
  };
}

/** The service ignores `size` and `n` without a word: neither is ever sent. Its edits refuse `width` and `height`, too. */
function parametersOf(request: ImageRequest, deployment: string): Record<string, unknown> {
  const { n: _, ...parameters } = parametersBesideSize(request, deployment);
  return parameters;
}

function generationBody(request: ImageRequest, deployment: string): Record<string, unknown> {
  const isFree = request.extra.auto_aspect_ratio === true && request.size === undefined;
  const size = isFree ? undefined : (request.size ?? '1024x1024');
  return { ...parametersOf(request, deployment), ...edgesOfSize(size) };
}

/** The same events, with the usage under the names that OpenAI's API has for it. */
async function* inKnownTokens(events: AsyncIterable<ImageEvent>): AsyncGenerator<ImageEvent> {
  for await (const event of events) {
    yield event.type === 'done' && event.usage ? { ...event, usage: inOpenAiTerms(event.usage) } : event;
  }
}

/** `num_…_tokens` is documented; `input_tokens` with `output_image_tokens` has been seen, too. All output is images. */
function inOpenAiTerms(usage: ImageUsage): ImageUsage {
  const { num_input_text_tokens, num_input_image_tokens, num_output_tokens, output_image_tokens, ...others } = usage;
  const made = num_output_tokens ?? output_image_tokens ?? usage.output_tokens;
  const details = inputDetails(num_input_text_tokens, num_input_image_tokens);
  const read = details ? details.text_tokens + details.image_tokens : usage.input_tokens;
  if (typeof read !== 'number' || typeof made !== 'number') return usage;
  return {
    ...others,
    input_tokens: read,
    output_tokens: made,
    total_tokens: read + made,
    ...(details && { input_tokens_details: details }),
    output_tokens_details: { text_tokens: 0, image_tokens: made },
  };
}

function inputDetails(text: unknown, image: unknown = 0) {
  return typeof text === 'number' && typeof image === 'number' ? { text_tokens: text, image_tokens: image } : undefined;
}
