import type { ImageEnd, ImageEvent } from '../domain/image-event.ts';
import type { StoredEvent } from '../domain/job-store.ts';
import { EventLog } from './event-log.ts';
import type { KeptImage } from './kept-image.ts';

type Collecting = {
  /** How many images the client has asked for. */
  readonly count: number;
  /** Awaited before the readers get the end of the last image: who has the whole response can have it again. Never rejects. */
  readonly record: (events: readonly StoredEvent[]) => Promise<void>;
};

/**
 * The response of a generation that is kept. It is collected at the speed of the upstream, and any number of readers read it
 * from its beginning.
 */
export class KeptResponse {
  readonly #log = new EventLog();
  readonly #images: KeptImage[] = [];
  #isClosed = false;

  /** An image of the response, which is closed with it. */
  add(image: KeptImage): KeptImage {
    this.#images.push(image);
    // A call that was given up may begin another image before it notices that.
    if (this.#isClosed) void image.close();
    return image;
  }

  /** Reads the events, in which images have their sources, to the end. Rejects with what they throw. */
  async collect(events: AsyncIterable<ImageEvent>, { count, record }: Collecting): Promise<void> {
    const stored: StoredEvent[] = [];
    let last: ImageEnd | undefined;
    let isPartial = false;
    /** How many partial images each image has had: they are not stored, and still count where events have numbers. */
    const partials = new Map<number, number>();
    const pass = (event: ImageEvent) => {
      stored.push(...storedEvent(event, isPartial, partials));
      this.#log.add(event);
    };
    try {
      for await (const event of events) {
        if (event.type === 'done') {
          const done = timed(event);
          const rest = [...(last ? [{ created: done.created, ...last }] : []), done];
          await record([...stored, ...rest.flatMap((each) => storedEvent(each, false, partials))]);
          for (const each of rest) this.#log.add(each);
          break;
        }
        if (last) pass(timed(last));
        last = undefined;
        if (event.type === 'image') {
          isPartial = event.isPartial;
          const before = partials.get(event.index) ?? 0;
          if (isPartial) partials.set(event.index, before + 1);
          pass(isPartial || before === 0 ? event : { ...event, partials: before });
        } else if (event.type !== 'image-end') pass(event);
        // With the last image's end a stream of events is complete.
        else if (!isPartial && event.index === count - 1) last = event;
        else pass(timed(event));
      }
      this.#log.end();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  fail(error: unknown): void {
    this.#log.fail(error);
  }

  read(): AsyncIterableIterator<ImageEvent> {
    return this.#log.read();
  }

  readersChanged(): void {
    for (const image of this.#images) image.readersChanged();
  }

  /** Nobody reads it any more, and nothing more comes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#images.map((image) => image.close()));
  }
}

/** A response that is written again must tell the same time. */
function timed<T extends { readonly created?: number }>(event: T): T & { readonly created: number } {
  return { created: Math.floor(Date.now() / 1000), ...event };
}

type Partials = ReadonlyMap<number, number>;

/** What has to be recorded of an event: nothing of partial images, and the store's word for each image. */
function storedEvent(event: ImageEvent, isPartial: boolean, partials: Partials): readonly StoredEvent[] {
  if (event.type === 'url' || event.type === 'done') return [event];
  if (event.type !== 'image-end' || isPartial) return [];
  const { stored, partialIndex: _, ...end } = event;
  const before = partials.get(event.index);
  return [{ ...end, type: 'image', ...(stored && { image: stored }), ...(before && { partials: before }) }];
}
