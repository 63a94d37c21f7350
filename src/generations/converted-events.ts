import { decodeBase64, encodeBase64 } from '../codec/base64.ts';
import { base64MediaType, imageHeaderCharacters } from '../codec/image-header.ts';
import { replay } from '../concurrency/replay.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { type Conversion, type ImageConverter, UnusableImageError } from '../domain/image-conversion.ts';
import type { ImageEnd, ImageEvent, ImageFacts } from '../domain/image-event.ts';
import type { OpenInputStore } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import { readToFirstImage } from './delivery.ts';

/** What converts images, and where they wait for that. */
export type Converting = { readonly converter: ImageConverter; readonly openInputs: OpenInputStore };

type Reader = {
  readonly asked: Pick<ImageRequest, 'stream' | 'partialImages'>;
  readonly converting?: Converting | undefined;
  readonly signal: AbortSignal;
};

/**
 * The events of one call with what has to be converted converted. For a client that wants no partial images it settles when the
 * first image is converted: until then a failure is still an ordinary error.
 */
export async function converted(
  events: AsyncIterable<ImageEvent>,
  conversion: Conversion | undefined,
  { asked, converting, signal }: Reader,
): Promise<AsyncIterable<ImageEvent>> {
  // An image that another process has paid for is better than none, where only that one could convert it.
  if (conversion === undefined || converting === undefined) return events;
  const images = convertImages(events, { ...converting, conversion, signal });
  return asked.stream && asked.partialImages > 0 ? images : readToFirstImage(images);
}

type Stage = Converting & { readonly conversion: Conversion; readonly signal: AbortSignal };

/**
 * The events of one call with all images converted, partial ones too. An image waits in a spool, so that it takes no memory
 * until there is a permit for it. One that comes in the wanted format passes as it is.
 */
async function* convertImages(events: AsyncIterable<ImageEvent>, stage: Stage): AsyncGenerator<ImageEvent> {
  const source = events[Symbol.asyncIterator]();
  try {
    for (let next = await source.next(); !next.done; next = await source.next()) {
      const event = next.value;
      if (event.type === 'image') yield* convertedImage(event, new ImageBytes(source), stage);
      else if (event.type === 'done')
        yield { ...event, facts: factsAfter<ImageFacts>(event.facts ?? {}, stage.conversion) };
      else yield event;
    }
  } finally {
    await source.return?.();
  }
}

type ImageBegin = Extract<ImageEvent, { type: 'image' }>;

async function* convertedImage(begin: ImageBegin, bytes: ImageBytes, stage: Stage): AsyncGenerator<ImageEvent> {
  const head = await readHead(bytes);
  const text = replay(head, bytes);
  const mediaType = base64MediaType(Buffer.concat(head).toString('latin1', 0, imageHeaderCharacters));
  const isWanted = mediaType === `image/${stage.conversion.format}`;
  if (isWanted) {
    yield begin;
    for await (const chunk of text) yield { type: 'bytes', chunk };
  } else if (!(yield* convertedFile(begin, text, stage))) {
    await bytes.skip();
    return;
  }
  const { end } = bytes;
  if (end) yield { ...end, ...(end.facts && { facts: factsAfter(end.facts, stage.conversion) }) };
}

/** Of the disk for spools, all conversions together are one consumer. */
const conversionsShare = 'conversions';

/** Returns false for a partial image that is left out, because it cannot be decoded: the final one may be in order. */
async function* convertedFile(
  begin: ImageBegin,
  text: AsyncIterable<Buffer>,
  { converter, openInputs, conversion, signal }: Stage,
): AsyncGenerator<ImageEvent, boolean> {
  const spool = openInputs(conversionsShare);
  try {
    const image = await spool.put(decodeBase64(text, () => new UnusableImageError('is no base64')));
    const kind = begin.isPartial ? 'partial' : 'output';
    const file = await converter.convert({ ...conversion, kind, image, from: spool, into: spool, signal });
    yield begin;
    for await (const chunk of encodeBase64(spool.open(file))) yield { type: 'bytes', chunk };
    return true;
  } catch (error) {
    if (begin.isPartial && error instanceof UnusableImageError) return false;
    throw paidFor(error);
  } finally {
    await spool.release();
  }
}

/** The pieces of one image, up to its end. */
class ImageBytes implements AsyncIterator<Buffer, undefined> {
  readonly #events: AsyncIterator<ImageEvent>;
  end: ImageEnd | undefined;
  #isOver = false;

  constructor(events: AsyncIterator<ImageEvent>) {
    this.#events = events;
  }

  /** Reads the rest, which nobody needs. */
  async skip(): Promise<void> {
    while (!this.#isOver && !(await this.next()).done);
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    const { value: event } = await this.#events.next();
    if (event?.type === 'bytes') return { value: event.chunk, done: false };
    this.#isOver = true;
    if (event?.type === 'image-end') this.end = event;
    return { value: undefined, done: true };
  }
}

/** So many pieces that they show what kind of file it is; they may be a character long. */
async function readHead(bytes: ImageBytes): Promise<Buffer[]> {
  const head: Buffer[] = [];
  for (let length = 0; length < imageHeaderCharacters; ) {
    const { value, done } = await bytes.next();
    if (done) break;
    head.push(value);
    length += value.length;
  }
  return head;
}

/** What is true of images once they are converted: a JPEG has no transparency. */
export function factsAfter<T extends { readonly background?: string | undefined }>(facts: T, { format }: Conversion) {
  const isFlattened = format === 'jpeg' && facts.background === 'transparent';
  return { ...facts, outputFormat: format, ...(isFlattened && { background: 'opaque' }) };
}

/** Errors of spools say that nothing was sent, and a broken image is one that is paid for. */
function paidFor(cause: unknown): unknown {
  if (cause instanceof UnusableImageError) {
    const message = `The image service returned an image that cannot be converted: it ${cause.message}. It was not retried.`;
    return new GatewayError('upstream_invalid_response', message, { outcome: 'unknown', cause });
  }
  const isOfUpstream = cause instanceof GatewayError && cause.kind !== 'storage_failed' && cause.kind !== 'overloaded';
  if (isOfUpstream) return cause;
  const message = 'An image could not be converted by the gateway. It was not retried.';
  return new GatewayError('storage_failed', message, { outcome: 'unknown', cause });
}
