import { SseReader } from '../../codec/sse-reader.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import { unfinishedStream } from '../../upstream/paid-call-error.ts';
import type { ResponseContext } from './response-reader.ts';
import { ResponseStreamReader } from './response-stream-reader.ts';

/** After its image the chat model usually says a few words, which nobody waits for longer. */
const lastWordsMs = 5_000;

/**
 * The images of a streamed response, previews included. Throws a GatewayError for an error event, for a response that
 * ends without an image, and for a stream that ends before; an image that is complete stays one, whatever follows it.
 * @param giveUp closes the body
 */
export async function* responseStream(
  body: AsyncIterable<Buffer>,
  context: ResponseContext,
  giveUp: () => void,
): AsyncGenerator<ImageEvent> {
  const sse = new SseReader();
  const stream = new ResponseStreamReader(context);
  const handedOn = new HandedOn();
  let silence: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of body) {
      clearTimeout(silence);
      yield* handedOn.pass(stream.read(sse.push(chunk)));
      if (stream.isComplete) break;
      if (handedOn.isSettled) silence = setTimeout(giveUp, lastWordsMs);
    }
    if (!stream.isComplete) yield* handedOn.pass(stream.read(sse.end()));
    if (!stream.isComplete) throw unfinishedStream();
  } catch (error) {
    if (!handedOn.isSettled) throw error;
  } finally {
    clearTimeout(silence);
  }
  yield stream.done();
}

/** Knows what has left the reader: an event that breaks takes back what it has brought, although the reader counts it. */
class HandedOn {
  #images = 0;
  #begun: { readonly isPartial: boolean } | undefined;

  /** Whether there is an image, and none has begun behind it. */
  get isSettled(): boolean {
    return this.#images > 0 && this.#begun === undefined;
  }

  *pass(events: Iterable<ImageEvent>): Generator<ImageEvent> {
    for (const event of events) {
      if (event.type === 'image') this.#begun = event;
      yield event;
      if (event.type !== 'image-end') continue;
      if (!this.#begun?.isPartial) this.#images += 1;
      this.#begun = undefined;
    }
  }
}
