import { GatewayError } from '../../domain/gateway-error.ts';
import { edgesOf, type ImageRequest } from '../../domain/image-request.ts';
import { imagesBody } from './images-body.ts';

/**
 * A size as the members `width` and `height`, in pixels; `auto` and no size leave the choice to the upstream. Throws a
 * GatewayError for a text that names no edges: what ignores `size` must not be sent one.
 */
export function edgesOfSize(size: string | undefined): { readonly width?: number; readonly height?: number } {
  if (size === undefined || size === 'auto') return {};
  const edges = edgesOf(size);
  if (edges !== undefined) return edges;
  const message = "'size' must be a size such as 1024x1024 for this model.";
  throw new GatewayError('invalid_value', message, { param: 'size', outcome: 'refused' });
}

/** The parameters by their wire names, without the size, and without those of streams, which no upstream with edges has. */
export function parametersBesideSize(request: ImageRequest, model: string): Record<string, unknown> {
  const { size: _1, stream: _2, partial_images: _3, ...parameters } = imagesBody(request, model);
  return parameters;
}

/** The caller's name for a parameter that an upstream with edges complains of. */
export function sizeOfEdges(name: string): string {
  return name === 'width' || name === 'height' ? 'size' : name;
}
