import type { ImageEnd, ImageEvent } from '../domain/image-event.ts';
import type { ProviderCall } from '../domain/image-provider.ts';
import { paidCallError, unfinishedStream } from '../upstream/paid-call-error.ts';
import { type SsePart, SseReader } from '../upstream/sse-reader.ts';
import { StreamEvent } from './stream-event.ts';

/**
 * The pictures of an image stream from its bytes, previews included. Ends with the last of `count` completed pictures,
 * whatever follows. Throws a GatewayError for an error event, for a stream that ends before, and for what is no stream.
 */
export async function* streamEvents(
  body: AsyncIterable<Buffer>,
  count: number,
  call: ProviderCall,
): AsyncGenerator<ImageEvent> {
  const reader = new SseReader();
  const pictures = new PictureStream(count);
  try {
    for await (const chunk of body) {
      yield* pictures.read(reader.push(chunk));
      if (pictures.isComplete) break;
    }
    if (!pictures.isComplete) yield* pictures.read(reader.end());
    if (!pictures.isComplete) throw unfinishedStream();
  } catch (error) {
    throw paidCallError(error, call.attempt);
  }
  const { created, usage, facts } = pictures.last ?? {};
  call.attempt.made = { pictures: pictures.completed, ...(usage && { usage }), ...(facts && { facts }) };
  yield { type: 'done', ...(created && { created }), ...(usage && { usage }), ...(facts && { facts }) };
}

class PictureStream {
  readonly #count: number;
  completed = 0;
  last: ImageEnd | undefined;
  #name = '';
  #event: StreamEvent | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  get isComplete(): boolean {
    return this.completed >= this.#count;
  }

  *read(parts: readonly SsePart[]): Generator<ImageEvent> {
    for (const part of parts) {
      if (this.isComplete) return;
      if (part.type === 'name') {
        this.#name = part.name;
      } else if (part.type === 'data') {
        this.#event ??= new StreamEvent(this.completed, this.#name);
        yield* this.#event.read(part.bytes);
      } else {
        yield* this.#endEvent();
      }
    }
  }

  *#endEvent(): Generator<ImageEvent> {
    const end = this.#event === undefined ? undefined : yield* this.#event.end();
    if (this.#event?.isCompleted && end) {
      this.completed += 1;
      this.last = end;
    }
    this.#event = undefined;
    this.#name = '';
  }
}
