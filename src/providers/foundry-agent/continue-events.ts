import { MalformedJsonError } from '../../codec/json-text.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageEvent } from '../../domain/image-event.ts';

/**
 * The events of a finished response that can be read again for free: where its body is cut, the next reading goes on behind
 * what was handed on already. A finished response does not change, so equal positions hold equal events. Throws what is no
 * cut, and the cut itself when there is no time left (`until`, as of `performance.now()`).
 */
export async function* continueEvents(
  first: AsyncIterable<ImageEvent>,
  readAgain: () => Promise<AsyncIterable<ImageEvent>>,
  until: number,
): AsyncGenerator<ImageEvent> {
  const handedOn = { bytes: 0, others: 0 };
  for (let events = first; ; ) {
    try {
      yield* behind(handedOn, events);
      return;
    } catch (error) {
      if (!isCut(error) || performance.now() >= until) throw error;
    }
    events = await readAgain();
  }
}

function isCut(error: unknown): boolean {
  return !(error instanceof GatewayError) && (!(error instanceof MalformedJsonError) || error.isCut);
}

/** What follows behind a position, which moves along: bytes of images, and all other events. */
async function* behind(
  position: { bytes: number; others: number },
  events: AsyncIterable<ImageEvent>,
): AsyncGenerator<ImageEvent> {
  const seen = { bytes: 0, others: 0 };
  for await (const event of events) {
    if (event.type !== 'bytes') {
      seen.others += 1;
      if (seen.others <= position.others) continue;
      position.others = seen.others;
      yield event;
      continue;
    }
    const chunk = event.chunk.subarray(Math.max(0, position.bytes - seen.bytes));
    seen.bytes += event.chunk.length;
    if (chunk.length === 0) continue;
    position.bytes = seen.bytes;
    yield { type: 'bytes', chunk };
  }
}
