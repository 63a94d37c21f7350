import { imageHeaderCharacters } from '../../codec/image-header.ts';
import { replay } from '../../concurrency/replay.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { Attempt } from '../../domain/image-provider.ts';
import { paidCallError } from '../../upstream/paid-call-error.ts';

/**
 * Waits until a response's outcome is known: the first bytes of its first image are an image, or all its links are
 * there. Rejects with what the events throw until then; afterwards the events are handed over from the first one on.
 */
export async function waitForOutcome(events: AsyncGenerator<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  const seen: ImageEvent[] = [];
  let characters = 0;
  try {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) break;
      seen.push(event);
      // Whoever gives bytes has checked them: the header as soon as there is enough of it.
      if (event.type === 'bytes') characters += event.chunk.length;
      if (event.type === 'image-end' || characters >= imageHeaderCharacters) break;
    }
  } catch (error) {
    await events.return(undefined);
    throw error;
  }
  return replay(seen, events);
}

/**
 * Looks at the beginning of a body: JSON, or anything else (an event stream, HTML, nothing). `whole` is the body from
 * its first byte on. Rejects with a GatewayError when the body breaks before it says anything.
 */
export async function sniffJson(
  body: AsyncIterable<Buffer>,
  attempt: Attempt,
): Promise<{ isJson: boolean; whole: AsyncIterable<Buffer> }> {
  const rest = body[Symbol.asyncIterator]();
  const seen: Buffer[] = [];
  let first: number | undefined;
  try {
    while (first === undefined) {
      const { value, done } = await rest.next();
      if (done) break;
      seen.push(value);
      first = value.find((byte: number) => byte > 0x20 && byte < 0x80);
    }
  } catch (error) {
    throw paidCallError(error, attempt);
  }
  // `e`vent, `d`ata, `i`d, `r`etry and `:` begin an event stream; what is neither is judged as the JSON it should be.
  const isStream = first !== undefined && /[a-z:]/.test(String.fromCharCode(first));
  return { isJson: !isStream, whole: replay(seen, rest) };
}

/**
 * What `take` makes of items that have arrived together, handed on batch by batch: what breaks a batch is found before any
 * of it is handed on, so that what fails a short response is an ordinary error.
 * @param lastTypes of the item, or of its result, that ends a batch
 */
export function* inBatches<Item extends Typed, Result extends Typed>(
  items: readonly Item[],
  take: (item: Item) => Iterable<Result>,
  lastTypes: readonly string[],
): Generator<Result> {
  let batch: Result[] = [];
  for (const item of items) {
    for (const result of take(item)) {
      batch.push(result);
      if (!lastTypes.includes(result.type)) continue;
      yield* batch;
      batch = [];
    }
    if (!lastTypes.includes(item.type)) continue;
    yield* batch;
    batch = [];
  }
  yield* batch;
}

type Typed = { readonly type: string };
