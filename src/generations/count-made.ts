import type { ImageEvent, ImageFacts, ImageUsage } from '../domain/image-event.ts';

/** What an upstream has made, once its response was read to the end: that is billed. */
export type Made = {
  readonly images: number;
  readonly usage?: ImageUsage | undefined;
  readonly facts?: ImageFacts | undefined;
};

export type Counted = AsyncIterable<ImageEvent> &
  AsyncIterator<ImageEvent> & {
    /** `undefined` until the last event has passed: what was made until then is not known. */
    readonly made: Made | undefined;
    /**
     * To be awaited before the first event is taken: reads a response of links ahead. They are complete values, so what was
     * made is known before the response to the caller begins, and even if the first of them cannot be downloaded. Never
     * rejects.
     */
    readLinks(): Promise<void>;
  };

/** Observes the events of one call and counts what was made. No generator: every piece of every image passes here. */
export function countMade(events: AsyncIterable<ImageEvent>): Counted {
  const source = events[Symbol.asyncIterator]();
  const ahead: Promise<IteratorResult<ImageEvent>>[] = [];
  let images = 0;
  let isPartial = false;
  let made: Made | undefined;
  async function read(): Promise<IteratorResult<ImageEvent>> {
    const next = await source.next();
    if (next.done) return next;
    const event = next.value;
    if (event.type === 'image') isPartial = event.isPartial;
    else if (event.type === 'url' || (event.type === 'image-end' && !isPartial)) images += 1;
    else if (event.type === 'done') made = { images, usage: event.usage, facts: event.facts };
    return next;
  }

  return {
    get made() {
      return made;
    },
    async readLinks() {
      let isLink = true;
      while (isLink) {
        const following = read();
        ahead.push(following);
        // A failure is told to whoever reads that far.
        isLink = await following.then(
          ({ value }) => value?.type === 'url',
          () => false,
        );
      }
    },
    next: () => ahead.shift() ?? read(),
    async return(value) {
      await source.return?.();
      return { value, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
