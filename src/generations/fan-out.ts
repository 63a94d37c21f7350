import { startBounded } from '../concurrency/semaphore.ts';
import { equalFacts, type ImageEnd, type ImageEvent, type ImageFacts, type ImageUsage } from '../domain/image-event.ts';
import { sumUsage } from './sum-usage.ts';

/** One of the calls that together make the images of a request; settles when its outcome is known. */
type StartLeg = () => Promise<AsyncIterable<ImageEvent>>;

type Rules = {
  /** A stream begins with its first leg; other answers wait for all legs, so that they are all or nothing. */
  readonly isStream: boolean;
  /** Whether legs that fail are left out, as long as one succeeds. */
  readonly deliversPart: boolean;
};

const legsAtOnce = 4;

/**
 * The images of several calls as one answer: leg after leg, in order, never interleaved. Rejects with the first
 * failure that counts; no further leg is started then.
 */
export async function fanOut(legs: readonly StartLeg[], rules: Rules): Promise<AsyncIterable<ImageEvent>> {
  const answers = startBounded(legs, { limit: legsAtOnce, goOn: rules.deliversPart });
  if (rules.deliversPart) await Promise.any(answers).catch(() => answers[0]);
  if (!rules.isStream) await (rules.deliversPart ? Promise.allSettled(answers) : Promise.all(answers));
  else if (!rules.deliversPart) await answers[0];
  return merge(answers, rules.deliversPart);
}

async function* merge(
  answers: readonly Promise<AsyncIterable<ImageEvent>>[],
  deliversPart: boolean,
): AsyncGenerator<ImageEvent> {
  const merged = new MergedAnswer();
  for (const answer of answers) {
    const events = deliversPart ? await answer.catch(() => undefined) : await answer;
    if (events !== undefined) yield* merged.take(events);
  }
  yield merged.done();
}

class MergedAnswer {
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
