import { imageHeaderCharacters } from '../../codec/image-header.ts';
import { replay } from '../../concurrency/replay.ts';
import type { ImageEvent } from '../../domain/image-event.ts';

/**
 * Waits until an answer's outcome is known: the first bytes of its first image are an image, or all its links are
 * there. Rejects with what the events throw until then; afterwards the events are handed over from the first one on.
 */
export async function commit(events: AsyncGenerator<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
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
