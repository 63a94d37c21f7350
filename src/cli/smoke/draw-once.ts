import { decodeBase64 } from '../../codec/base64.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { GenerationReader } from '../../domain/generation-reader.ts';
import type { ImageEvent, ImageUsage } from '../../domain/image-event.ts';
import type { ImageRequest } from '../../domain/image-request.ts';
import type { Gateway } from '../../generations/gateway.ts';
import { plainRequest } from '../../parameters/parameter-samples.ts';
import type { LogicalModel } from '../../targets/model-catalog.ts';

export type Drawn = { readonly image: Buffer; readonly usage: ImageUsage | undefined };

/** The cheapest quality first. */
const qualities = ['low', 'standard'] as const;

/** Harmless, and says where it comes from. */
export const smokePrompt = 'A small red circle in the middle of a white square, as a test image';

/** One image in the cheapest quality that the model has. */
export function smokeRequest({ targets }: LogicalModel): ImageRequest {
  const quality = qualities.find((name) =>
    targets.some(({ family }) => family.qualities === 'any' || family.qualities.includes(name)),
  );
  return { ...plainRequest, prompt: smokePrompt, quality, delivery: 'b64_json' };
}

/** Starts the one call; a failed one is not retried. Rejects with a GatewayError for what can be refused at once. */
export function startSmoke({ catalog, start }: Gateway, model: string): Promise<GenerationReader> {
  return start(model, smokeRequest(catalog.find(model)), { id: 'smoke', isRetry: false, maxRetries: 0 });
}

/** Waits for the image, whole. Rejects with a GatewayError. */
export async function receiveImage(generation: GenerationReader): Promise<Drawn> {
  let usage: ImageUsage | undefined;

  async function* texts(events: AsyncIterable<ImageEvent>): AsyncGenerator<Buffer> {
    for await (const event of events) {
      if (event.type === 'bytes') yield event.chunk;
      else if (event.type === 'image-end' || event.type === 'done') usage = event.usage ?? usage;
    }
  }

  const events = await generation.events;
  try {
    // The pieces share one buffer, so each is copied before the next one comes.
    const pieces: Buffer[] = [];
    for await (const piece of decodeBase64(texts(events), damaged)) pieces.push(Buffer.from(piece));
    generation.settle('delivered');
    return { image: Buffer.concat(pieces), usage };
  } catch (error) {
    generation.settle('truncated');
    throw error;
  }
}

function damaged(): GatewayError {
  const message = 'The image service answered with a damaged image. It may have been billed.';
  return new GatewayError('upstream_invalid_response', message, { outcome: 'unknown' });
}
