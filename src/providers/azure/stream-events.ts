import { type SsePart, SseReader } from '../../codec/sse-reader.ts';
import type { ImageEnd, ImageEvent } from '../../domain/image-event.ts';
import type { ProviderCall } from '../../domain/image-provider.ts';
import type { OpenSpool } from '../../domain/input-spool.ts';
import type { Recorder } from '../../domain/recorder.ts';
import { invalidResponse, paidCallError, unfinishedStream } from '../../upstream/paid-call-error.ts';
import { inBatches } from './in-batches.ts';
import { StreamEvent } from './stream-event.ts';
import { decideImages, type StreamToken } from './undecided-images.ts';

/**
 * The images of an image stream from its bytes, previews included. Ends with the last of `count` completed images,
 * whatever follows. Throws a GatewayError for an error event, for a stream that ends before, and for what is no stream.
 */
export function streamEvents(
  body: AsyncIterable<Buffer>,
  count: number,
  call: ProviderCall,
  openSpool: OpenSpool,
): AsyncGenerator<ImageEvent> {
  return decideImages(streamTokens(body, count, call), openSpool);
}

async function* streamTokens(
  body: AsyncIterable<Buffer>,
  count: number,
  call: ProviderCall,
): AsyncGenerator<StreamToken> {
  const reader = new SseReader();
  const images = new ImageStream(count, call.recorder);
  try {
    for await (const chunk of body) {
      yield* images.read(reader.push(chunk));
      if (images.isComplete) break;
    }
    if (!images.isComplete) yield* images.read(reader.end());
    if (!images.isComplete)
      throw images.hasEmptyEvent ? invalidResponse('an event holds no image') : unfinishedStream();
  } catch (error) {
    throw paidCallError(error, call.attempt);
  }
  const { created, usage, facts } = images.last ?? {};
  yield { type: 'done', ...(created && { created }), ...(usage && { usage }), ...(facts && { facts }) };
}

class ImageStream {
  readonly #count: number;
  readonly #recorder: Recorder;
  completed = 0;
  last: ImageEnd | undefined;
  /** A completed event had no image; a later one may have it. */
  hasEmptyEvent = false;
  #name = '';
  #event: StreamEvent | undefined;

  constructor(count: number, recorder: Recorder) {
    this.#count = count;
    this.#recorder = recorder;
  }

  get isComplete(): boolean {
    return this.completed >= this.#count;
  }

  read(parts: readonly SsePart[]): Generator<StreamToken> {
    return inBatches(
      parts,
      (part) => this.#take(part),
      ({ type }) => type === 'dispatch',
    );
  }

  *#take(part: SsePart): Generator<StreamToken> {
    if (this.isComplete) return;
    if (part.type === 'name') {
      this.#name = part.name;
    } else if (part.type === 'data') {
      this.#event ??= new StreamEvent(this.completed, this.#name, this.#recorder);
      yield* this.#event.read(part.bytes);
    } else {
      yield* this.#endEvent();
    }
  }

  *#endEvent(): Generator<StreamToken> {
    const end = this.#event === undefined ? undefined : yield* this.#event.end();
    if (this.#event?.isCompleted) {
      if (end === undefined) this.hasEmptyEvent = true;
      else this.completed += 1;
      this.last = end ?? this.last;
    }
    this.#event = undefined;
    this.#name = '';
  }
}
