import type { ImageEvent } from '../domain/image-event.ts';
import type { ImageId } from '../domain/image-store.ts';
import { EventLog } from './event-log.ts';
import type { KeptImage } from './kept-image.ts';

/** Begins to store an image; partial ones last as long as their readers. */
export type KeepImage = (id: ImageId | undefined, isPartial: boolean) => KeptImage;

/**
 * The events of one call. They pass as they are until `keep` is called: from then on the images go into the store at the speed
 * of the upstream, and the events have a source for each in place of its bytes. That must happen before the first event is
 * taken.
 * No generator: every piece of every image passes here, and a generator would cost it several microtasks more.
 */
export class KeepableEvents implements AsyncIterableIterator<ImageEvent> {
  readonly #source: AsyncIterator<ImageEvent>;
  /** The ids of the images, in their order. */
  readonly #ids: readonly ImageId[];
  #kept: AsyncIterator<ImageEvent> | undefined;
  #hasBegun = false;
  readonly #stored = Promise.withResolvers<void>();

  constructor(events: AsyncIterable<ImageEvent>, ids: readonly ImageId[]) {
    this.#source = events[Symbol.asyncIterator]();
    this.#ids = ids;
    // Most callers learn of a failure from the events.
    this.#stored.promise.catch(() => {});
  }

  /** Resolves when the events have ended and all images are stored; rejects with what broke them. Only after `keep`. */
  get stored(): Promise<void> {
    return this.#stored.promise;
  }

  keep(keepImage: KeepImage): void {
    if (this.#hasBegun || this.#kept !== undefined) return;
    const log = new EventLog();
    this.#kept = log.read();
    const open = (index: number, isPartial: boolean) => keepImage(isPartial ? undefined : this.#ids[index], isPartial);
    this.#stored.resolve(storeImages(this.#source, log, open));
  }

  next(): Promise<IteratorResult<ImageEvent>> {
    this.#hasBegun = true;
    return (this.#kept ?? this.#source).next();
  }

  /** What is being kept goes on. */
  async return(value?: unknown): Promise<IteratorResult<ImageEvent>> {
    if (this.#kept === undefined) await this.#source.return?.();
    return { value, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Reads the events to their end into the log. An image's end follows when it is durable. Rejects with what the log fails with. */
async function storeImages(
  source: AsyncIterator<ImageEvent>,
  log: EventLog,
  keepImage: (index: number, isPartial: boolean) => KeptImage,
): Promise<void> {
  let image: KeptImage | undefined;
  let isPartial = false;
  try {
    for (let next = await source.next(); !next.done; next = await source.next()) {
      const event = next.value;
      if (event.type === 'bytes') {
        const writing = image?.write(event.chunk);
        if (writing !== undefined) await writing;
      } else if (event.type === 'image') {
        isPartial = event.isPartial;
        image = keepImage(event.index, isPartial);
        log.add({ ...event, source: image });
      } else if (event.type === 'image-end') {
        const stored = isPartial ? await image?.drop() : await image?.end();
        image = undefined;
        log.add({ ...event, ...(stored && { stored }) });
      } else {
        log.add(event);
      }
    }
    log.end();
  } catch (error) {
    log.fail(error);
    await image?.fail(error);
    await source.return?.();
    throw error;
  }
}
