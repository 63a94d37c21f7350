import { startBounded } from '../concurrency/semaphore.ts';
import { equalFacts, type ImageEnd, type ImageEvent, type ImageFacts, type ImageUsage } from '../domain/image-event.ts';
import { sumUsage } from './sum-usage.ts';

/** One of the calls that together make the images of a request; settles when its outcome is known. */
type StartLeg = () => Promise<AsyncIterable<ImageEvent>>;

type Rules = {
  /** A stream begins with its first leg; other responses wait for all legs, so that they are all or nothing. */
  readonly isStream: boolean;
  /** Whether legs that fail are left out, as long as one succeeds. */
  readonly deliversPart: boolean;
};

const legsAtOnce = 4;

/**
 * The images of several calls as one response: leg after leg, in order, never interleaved. Rejects with the first
 * failure that counts; no further leg is started then.
 */
export async function fanOut(legs: readonly StartLeg[], rules: Rules): Promise<AsyncIterable<ImageEvent>> {
  const responses = startBounded(legs, { limit: legsAtOnce, goOn: rules.deliversPart });
  if (rules.deliversPart) await Promise.any(responses).catch(() => responses[0]);
  if (!rules.isStream) await (rules.deliversPart ? Promise.allSettled(responses) : Promise.all(responses));
  else if (!rules.deliversPart) await responses[0];
  return merge(responses, rules.deliversPart);
}

async function* merge(
  responses: readonly Promise<AsyncIterable<ImageEvent>>[],
  deliversPart: boolean,
): AsyncGenerator<ImageEvent> {
  const merged = new MergedResponse();
  for (const response of responses) {
    const events = deliversPart ? await response.catch(() => undefined) : await response;
    if (events !== undefined) yield* merged.take(events);
  }
  yield merged.done();
}

class MergedResponse {
  #images = 0;
  #created: number | undefined;
  #hasLeg = false;
  #usage: ImageUsage | undefined;
  #facts: ImageFacts | undefined;

  /** One leg's events, renumbered. Its last image also gets what its end tells, for readers that want it per image. */
  async *take(events: AsyncIterable<ImageEvent>): AsyncGenerator<ImageEvent> {
    const first = this.#images;
    let end: ImageEnd | undefined;
    for await (const event of events) {
      if (event.type === 'done') {
        const { type: _type, ...summary } = event;
        if (end) yield { facts: {}, ...summary, ...end };
        return this.#add(event);
      }
      if (end) yield end;
      end = undefined;
      if (event.type === 'bytes') yield event;
      else if (event.type === 'image-end') end = { ...event, index: first + event.index };
      else yield this.#renumbered(event, first);
    }
  }

  #renumbered<T extends { readonly index: number }>(event: T, first: number): T {
    const index = first + event.index;
    this.#images = index + 1;
    return { ...event, index };
  }

  #add({ created, usage, facts }: Extract<ImageEvent, { type: 'done' }>): void {
    this.#created ??= created;
    this.#usage = this.#hasLeg ? sumUsage(this.#usage, usage) : usage;
    this.#hasLeg = true;
    this.#facts = this.#facts === undefined ? facts : equalFacts(this.#facts, facts ?? {});
  }

  done(): ImageEvent {
    return {
      type: 'done',
      ...(this.#created !== undefined && { created: this.#created }),
      ...(this.#usage && { usage: this.#usage }),
      ...(this.#facts && { facts: this.#facts }),
    };
  }
}
