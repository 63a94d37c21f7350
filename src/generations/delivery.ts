import { decodeBase64 } from '../codec/base64.ts';
import { replay } from '../concurrency/replay.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { StoredImage } from '../domain/image-store.ts';
import type { Retrying } from '../domain/retrying.ts';

// Stages between a provider's events and those that a client gets. None of them holds an image in memory.

/** Where images are hosted, and under which address. */
export type Hosting = {
  put(bytes: AsyncIterable<Buffer>, retrying: Retrying): Promise<StoredImage>;
  /** The absolute URL of a stored image. */
  urlOf(image: StoredImage): string;
};

/**
 * Turns images into links by hosting them while they arrive. Settles when every image is stored, so that no link is
 * given for an image that might be lost; partial images are skipped. Rejects with what the events or the store throw.
 * @param host stores an image, and gives its link
 */
export async function deliverUrl(
  events: AsyncIterable<ImageEvent>,
  host: (bytes: AsyncIterable<Buffer>) => Promise<string>,
): Promise<ImageEvent[]> {
  const links: ImageEvent[] = [];
  const rest = events[Symbol.asyncIterator]();
  let revisedPrompt: string | undefined;

  /** The base64 of the image that has just begun. */
  async function* imageBytes(): AsyncGenerator<Buffer> {
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      if (next.value.type === 'bytes') yield next.value.chunk;
      if (next.value.type !== 'image-end') continue;
      revisedPrompt = next.value.revisedPrompt;
      return;
    }
  }

  try {
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      const event = next.value;
      if (event.type === 'url' || event.type === 'done') links.push(event);
      if (event.type !== 'image') continue;
      revisedPrompt = undefined;
      const url = await host(decodeBase64(imageBytes(), damaged));
      links.push({ type: 'url', index: event.index, url, ...(revisedPrompt !== undefined && { revisedPrompt }) });
    }
  } finally {
    await rest.return?.();
  }
  return links;
}

function damaged(): GatewayError {
  return new GatewayError(
    'upstream_invalid_response',
    'The image service sent a damaged image. It may have been billed; it was not retried.',
    { outcome: 'unknown', cause: 'an image holds a character that base64 does not have' },
  );
}

/**
 * The events without partial images, for clients that did not ask for a stream but whose images come as one. Settles when
 * the first image itself begins: until then, a failure is still an ordinary error.
 */
export async function dropPartialImages(events: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  const { head, rest } = await readHead(withoutPartialImages(events), ({ type }) => type !== 'image');
  return replay(head, rest);
}

async function* withoutPartialImages(events: AsyncIterable<ImageEvent>): AsyncGenerator<ImageEvent> {
  let isPartial = false;
  for await (const event of events) {
    if (event.type === 'image') isPartial = event.isPartial;
    if (!isPartial || event.type === 'url' || event.type === 'done') yield event;
  }
}

/** Of the four calls that may run at once, together as much as admission sets aside for one generation. */
const lookAheadBytes = 256 * 1024;

/** The same events, of which so many have been read that a short response is known whole. */
export async function lookAhead(events: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  let bytes = 0;
  const { head, rest } = await readHead(events, (event) => {
    if (event.type === 'bytes') bytes += event.chunk.length;
    return bytes >= lookAheadBytes;
  });
  return replay(head, rest);
}

/** Reads up to the first event that `isLast` accepts, or to the end. */
async function readHead(
  events: AsyncIterable<ImageEvent>,
  isLast: (event: ImageEvent) => boolean,
): Promise<{ head: ImageEvent[]; rest: AsyncIterator<ImageEvent> }> {
  const rest = events[Symbol.asyncIterator]();
  const head: ImageEvent[] = [];
  for (;;) {
    const { value: event, done } = await rest.next();
    if (done) break;
    head.push(event);
    if (isLast(event)) break;
  }
  return { head, rest };
}
