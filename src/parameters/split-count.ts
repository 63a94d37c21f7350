import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';

/** What each upstream call is asked for; never empty. */
export type Legs = readonly [ImageRequest, ...ImageRequest[]];

/** The calls that make the images together, in order. */
export function splitCount(request: ImageRequest, family: ModelCapabilities, policy: 'adapt' | 'strict'): Legs {
  const { count, stream } = request;
  const limit = stream ? Math.min(family.maxCount, family.maxStreamedCount) : family.maxCount;
  if (count <= limit) return [request];
  if (policy === 'strict') {
    const call = stream ? "call with 'stream'" : 'call';
    const message = `'n' is ${count}, and this model makes at most ${limit} per ${call}.`;
    throw new GatewayError('invalid_value', message, { param: 'n' });
  }
  const rest = { ...request, count: count - limit, extra: withNextSeed(request.extra) };
  return [{ ...request, count: limit }, ...splitCount(rest, family, policy)];
}

/** The same seed would buy the same image again. */
function withNextSeed(extra: ImageRequest['extra']): ImageRequest['extra'] {
  const { seed } = extra;
  if (typeof seed !== 'number') return extra;
  return { ...extra, seed: seed < Number.MAX_SAFE_INTEGER ? seed + 1 : 0 };
}
