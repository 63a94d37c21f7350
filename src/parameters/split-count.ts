import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';

/** What each upstream call is asked for; never empty. */
export type Legs = readonly [ImageRequest, ...ImageRequest[]];

/** The calls that make `count` images together, in order. */
export function splitCount(request: ImageRequest, limit: number): Legs {
  const rest = request.count - limit;
  if (rest <= 0) return [request];
  return [{ ...request, count: limit }, ...splitCount({ ...request, count: rest }, limit)];
}

/** How many images one call makes, streamed or not. */
export function countLimit({ stream }: ImageRequest, { maxCount, maxStreamedCount }: ModelCapabilities): number {
  return stream ? Math.min(maxCount, maxStreamedCount) : maxCount;
}

/** Where several calls are not wanted: more than one call makes. */
export function refuseFanOut({ count, stream }: ImageRequest, limit: number): void {
  if (count <= limit) return;
  const call = stream ? "call with 'stream'" : 'call';
  const message = `'n' is ${count}, and this model makes at most ${limit} per ${call}.`;
  throw new GatewayError('invalid_value', message, { param: 'n' });
}
