import type { ImageRequest } from '../domain/image-request.ts';

/** The JSON body of the Images API: only what was asked for. Members that are `undefined` are left out by JSON. */
export function imagesBody(request: ImageRequest, model: string | undefined): Record<string, unknown> {
  return {
    ...request.extra,
    model,
    prompt: request.prompt,
    n: request.count === 1 ? undefined : request.count,
    size: request.size,
    quality: request.quality,
    background: request.background,
    output_format: request.outputFormat,
    output_compression: request.outputCompression,
    moderation: request.moderation,
    style: request.style,
    response_format: request.delivery,
    user: request.user,
    stream: request.stream || undefined,
    partial_images: request.partialImages || undefined,
  };
}
