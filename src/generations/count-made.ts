import type { ImageEvent, ImageFacts, ImageUsage } from '../domain/image-event.ts';

/** What an upstream has made, and bills. */
export type Made = { readonly images: number; readonly usage?: ImageUsage; readonly facts?: ImageFacts };

type Counted = {
  readonly events: AsyncIterable<ImageEvent>;
  /** `undefined` until `done` has passed: the response was not read to its end. */
  made(): Made | undefined;
  /**
   * To be awaited before anything is read: reads a response of links ahead. They are complete values, so what was made is
   * known before the response to the caller begins, and even if the first of them cannot be downloaded. Never rejects.
   */
  readLinks(): Promise<void>;
};

/** Counts the images of one call while its events pass; partial images are none. */
export function countMade(source: AsyncIterable<ImageEvent>): Counted {
  const rest = source[Symbol.asyncIterator]();
  const ahead: Promise<IteratorResult<ImageEvent>>[] = [];
  let isPartial = false;
  let images = 0;
  let made: Made | undefined;

  async function read(): Promise<IteratorResult<ImageEvent>> {
    const result = await rest.next();
    if (result.done) return result;
    const event = result.value;
    if (event.type === 'image') ({ isPartial } = event);
    else if (event.type === 'url' || (event.type === 'image-end' && !isPartial)) images += 1;
    else if (event.type === 'done') {
      const { usage, facts } = event;
      made = { images, ...(usage && { usage }), ...(facts && { facts }) };
    }
    return result;
  }

  async function readLinks(): Promise<void> {
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
  }

  const events = {
    next: () => ahead.shift() ?? read(),
    async return() {
      await rest.return?.();
      return { value: undefined, done: true } as const;
    },
    [Symbol.asyncIterator]: () => events,
  };
  return { events, made: () => made, readLinks };
}
