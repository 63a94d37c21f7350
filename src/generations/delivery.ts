import { replay } from '../concurrency/replay.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEnd, ImageEvent } from '../domain/image-event.ts';
import type { Delivery, ImageRequest } from '../domain/image-request.ts';
import type { StoredImage } from '../domain/image-store.ts';

// Stages between a provider's events and those that a client gets. None of them holds an image in memory.

/** The address under which stored images are served. */
export type Hosting = {
  /** The absolute URL of a stored image. Never rejects. */
  urlOf(image: StoredImage): string | Promise<string>;
};

/** How one client wants a response that is kept. */
type Wanted = {
  /** Where its links come from; `undefined`: it gets the bytes. */
  readonly links: Hosting | undefined;
  /** Partial images are for clients that asked for some. */
  readonly withPartialImages: boolean;
};

/** @param fallback how images come to a client that does not say */
export function wantedBy(
  { stream, partialImages }: Pick<ImageRequest, 'stream' | 'partialImages'>,
  { delivery, fallback, hosting }: { delivery: Delivery | undefined; fallback: Delivery; hosting: Hosting | undefined },
): Wanted {
  return {
    // A stream carries base64, whatever its client has asked for.
    links: !stream && (delivery ?? fallback) === 'url' ? hosting : undefined,
    withPartialImages: stream && partialImages > 0,
  };
}

/**
 * A kept response as one client wants it. Links settle when every image is stored, so that no link is given for an image that
 * might be lost. Rejects with what the events throw.
 * @param reader who reads them
 */
export async function deliver(
  events: AsyncIterable<ImageEvent>,
  { links, withPartialImages }: Wanted,
  reader: object,
): Promise<AsyncIterable<ImageEvent>> {
  const whole = withPartialImages ? events : withoutPartialImages(events);
  if (links === undefined) return withBytes(whole, reader);
  const linked: ImageEvent[] = [];
  for await (const event of whole) {
    if (event.type === 'url' || event.type === 'done') linked.push(event);
    else if (event.type === 'image-end') linked.push(await linkTo(event, links));
  }
  return inTurn(linked);
}

async function linkTo({ index, stored, revisedPrompt }: ImageEnd, hosting: Hosting): Promise<ImageEvent> {
  if (stored === undefined) throw notStored();
  const url = await hosting.urlOf(stored);
  return { type: 'url', index, url, ...(revisedPrompt !== undefined && { revisedPrompt }) };
}

/** It reached those clients that read it while it came. */
export function notStored(): GatewayError {
  const message = 'A finished image could not be stored by the gateway. It was not retried.';
  return new GatewayError('storage_failed', message, { outcome: 'unknown' });
}

async function* inTurn(events: readonly ImageEvent[]): AsyncGenerator<ImageEvent> {
  yield* events;
}

/**
 * Images with the bytes that their sources have. No generator: every piece of every image passes here, and a generator would
 * cost it several microtasks more.
 */
function withBytes(events: AsyncIterable<ImageEvent>, reader: object): AsyncIterableIterator<ImageEvent> {
  const source = events[Symbol.asyncIterator]();
  let bytes: AsyncIterator<Buffer> | undefined;
  const next = async (): Promise<IteratorResult<ImageEvent>> => {
    const piece = await bytes?.next();
    if (piece !== undefined && !piece.done) return { value: { type: 'bytes', chunk: piece.value }, done: false };
    const event = await source.next();
    const image = event.done || event.value.type !== 'image' ? undefined : event.value.source;
    bytes = image?.read(reader)[Symbol.asyncIterator]();
    return event;
  };
  return {
    next,
    async return(value) {
      await bytes?.return?.();
      await source.return?.();
      return { value, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * The events without partial images, for clients that did not ask for a stream but whose images come as one. Settles when
 * the first image itself begins: until then, a failure is still an ordinary error.
 */
export function dropPartialImages(events: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  return readToFirstImage(withoutPartialImages(events));
}

/** The same events, read up to where the first image begins. */
export async function readToFirstImage(events: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  const { head, rest } = await readHead(events, ({ type }) => type === 'image');
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
