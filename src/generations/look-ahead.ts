import { replay } from '../concurrency/replay.ts';
import type { ImageEvent } from '../domain/image-event.ts';

/** Of the four calls that may run at once, together as much as admission sets aside for one generation. */
const maxBytes = 256 * 1024;

/** The same events, of which so many have been read that a short response is known whole. */
export async function lookAhead(events: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  const rest = events[Symbol.asyncIterator]();
  const seen: ImageEvent[] = [];
  let bytes = 0;
  while (bytes < maxBytes) {
    const { value: event, done } = await rest.next();
    if (done) break;
    seen.push(event);
    if (event.type === 'bytes') bytes += event.chunk.length;
  }
  return replay(seen, rest);
}
