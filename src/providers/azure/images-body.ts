import type { ImageRequest } from '../../domain/image-request.ts';

/** The parameters of the Images API by their wire names: only what was asked for, everything else is `undefined`. */
export function imagesBody(request: ImageRequest, model: string | undefined): Record<string, unknown> {
  return {
    ...request.extra,
    model,
    prompt: request.prompt,
    n: request.count === 1 ? undefined : request.count,
    ...imageParameters(request),
    style: request.style,
    input_fidelity: request.inputFidelity,
    response_format: request.delivery,
    user: request.user,
    stream: request.stream || undefined,
    partial_images: request.partialImages || undefined,
  };
}

/** What an image shall be like, by the names that all of Azure's image APIs have for it. */
export function imageParameters(request: ImageRequest): Record<string, unknown> {
  return {
    size: request.size,
    quality: request.quality,
    background: request.background,
    output_format: request.outputFormat,
    output_compression: request.outputCompression,
    moderation: request.moderation,
  };
}
