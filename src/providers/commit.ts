import type { ImageEvent } from '../domain/image-event.ts';
import { imageHeaderBytes, imageMediaType } from '../domain/image-header.ts';
import { replay } from '../domain/replay.ts';
import { invalidResponse } from '../upstream/paid-call-error.ts';

/** So many base64 characters hold the bytes that tell an image by. */
const headerCharacters = (imageHeaderBytes / 3) * 4;

/**
 * Waits until an answer's outcome is known: the first bytes of its first picture are an image, or all its links are
 * there. Rejects with what the events throw until then; afterwards the events are handed over from the first one on.
 */
export async function commit(events: AsyncGenerator<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
  const seen: ImageEvent[] = [];
  let header: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) break;
      seen.push(event);
      if (event.type === 'bytes') header = Buffer.concat([header, event.chunk.subarray(0, headerCharacters)]);
      if (event.type !== 'image-end' && header.length < headerCharacters) continue;
      if (imageMediaType(decode(header)) === undefined) throw invalidResponse('the bytes are not an image');
      break;
    }
  } catch (error) {
    await events.return(undefined);
    throw error;
  }
  return replay(seen, events);
}

function decode(header: Buffer): Buffer {
  return Buffer.from(header.toString('latin1', 0, headerCharacters), 'base64');
}
