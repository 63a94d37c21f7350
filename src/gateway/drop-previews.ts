import type { ImageEvent } from '../domain/image-event.ts';

/** An answer without its previews, for callers that did not ask for a stream but whose pictures come as one. */
export async function* dropPreviews(events: AsyncIterable<ImageEvent>): AsyncGenerator<ImageEvent> {
  let isPreview = false;
  for await (const event of events) {
    if (event.type === 'image') isPreview = event.isPartial;
    if (!isPreview || event.type === 'url' || event.type === 'done') yield event;
  }
}
