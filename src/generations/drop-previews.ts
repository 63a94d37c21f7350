import { replay } from '../concurrency/replay.ts';
import type { ImageEvent } from '../domain/image-event.ts';

/**
 * An answer without its previews, for callers that did not ask for a stream but whose images come as one. Settles when
 * the first image itself begins: until then, a failure is still an ordinary error.
 */
export async function dropPreviews(events: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  const rest = withoutPreviews(events);
  const seen: ImageEvent[] = [];
  for (;;) {
    const { value: event, done } = await rest.next();
    if (done) break;
    seen.push(event);
    if (event.type !== 'image') break;
  }
  return replay(seen, rest);
}

async function* withoutPreviews(events: AsyncIterable<ImageEvent>): AsyncGenerator<ImageEvent> {
  let isPreview = false;
  for await (const event of events) {
    if (event.type === 'image') isPreview = event.isPartial;
    if (!isPreview || event.type === 'url' || event.type === 'done') yield event;
  }
}
