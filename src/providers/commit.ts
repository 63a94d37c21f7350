import type { ImageEvent } from '../domain/image-event.ts';
import { replay } from '../domain/replay.ts';
import { PictureCheck } from './picture-check.ts';

/**
 * Waits until an answer's outcome is known: the first bytes of its first picture are an image, or all its links are
 * there. Rejects with what the events throw until then; afterwards the events are handed over from the first one on.
 */
export async function commit(events: AsyncGenerator<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  const seen: ImageEvent[] = [];
  const picture = new PictureCheck();
  try {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) break;
      seen.push(event);
      if (event.type === 'bytes') picture.add(event.chunk);
      if (event.type !== 'image-end' && !picture.isReady) continue;
      picture.judge();
      break;
    }
  } catch (error) {
    await events.return(undefined);
    throw error;
  }
  return replay(seen, events);
}
