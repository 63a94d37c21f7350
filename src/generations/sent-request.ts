import type { ImageRequest } from '../domain/image-request.ts';
import type { AdaptedRequest } from '../parameters/adapt.ts';
import type { ModelFamily } from '../parameters/model-families.ts';
import type { Target } from '../targets/model-catalog.ts';
import { factsAfter } from './converted-events.ts';

/** What is asked for, as its client meets it in the response; what is not sent is what the family does by default. */
export function askedIn({ legs: [first], conversion }: AdaptedRequest, { defaults }: ModelFamily): ImageRequest {
  const { size = defaults.size, quality = defaults.quality, background = defaults.background } = first;
  const asked = { ...first, size, quality, background, outputFormat: first.outputFormat ?? defaults.outputFormat };
  return conversion ? factsAfter(asked, conversion) : asked;
}

/** A call of one image may go over the upstream's stream, because quiet connections are reported to be cut there. */
export function asSent(piece: ImageRequest, { family, upstreamStream }: Target): ImageRequest {
  const isCollapsed = upstreamStream === 'always' && family.streams && !piece.stream && piece.count === 1;
  // A stream carries base64, whatever the client gets in the end.
  return isCollapsed ? { ...piece, stream: true, partialImages: 1, delivery: undefined } : piece;
}
