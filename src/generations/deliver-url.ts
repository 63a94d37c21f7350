import { decodeBase64 } from '../codec/base64.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { StoredImage } from '../domain/image-store.ts';
import type { Retrying } from '../domain/retrying.ts';

/** Where images are hosted, and under which address. */
export type Hosting = {
  put(bytes: AsyncIterable<Buffer>, retrying: Retrying): Promise<StoredImage>;
  /** The absolute URL of a stored image. */
  urlOf(image: StoredImage): string;
};

/**
 * Turns images into links by hosting them while they arrive. Settles when every image is stored, so that no link is
 * given for an image that might be lost; previews are skipped. Rejects with what the events or the store throw.
 * @param host stores an image, and gives its link
 */
export async function deliverUrl(
  events: AsyncIterable<ImageEvent>,
  host: (bytes: AsyncIterable<Buffer>) => Promise<string>,
): Promise<ImageEvent[]> {
  const answer: ImageEvent[] = [];
  const rest = events[Symbol.asyncIterator]();
  const end = new ImageEnd();
  try {
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      const event = next.value;
      if (event.type === 'url' || event.type === 'done') answer.push(event);
      if (event.type !== 'image') continue;
      const url = await host(decodeBase64(imageBytes(rest, end), damaged));
      answer.push({ type: 'url', index: event.index, url, ...end.take() });
    }
  } finally {
    await rest.return?.();
  }
  return answer;
}

/** The base64 of the image that has just begun; what its end tells goes to `end`. */
async function* imageBytes(rest: AsyncIterator<ImageEvent>, end: ImageEnd): AsyncGenerator<Buffer> {
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    if (next.value.type === 'bytes') yield next.value.chunk;
    if (next.value.type !== 'image-end') continue;
    end.revisedPrompt = next.value.revisedPrompt;
    return;
  }
}

function damaged(): GatewayError {
  return new GatewayError(
    'upstream_invalid_response',
    'The image service sent a damaged image. It may have been billed; it was not asked for again.',
    { outcome: 'unknown', cause: 'an image holds a character that base64 does not have' },
  );
}

class ImageEnd {
  revisedPrompt: string | undefined;

  take(): { revisedPrompt?: string } {
    const { revisedPrompt } = this;
    this.revisedPrompt = undefined;
    return revisedPrompt === undefined ? {} : { revisedPrompt };
  }
}
