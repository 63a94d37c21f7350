import type { ImageEvent, ImageFacts, ImageUsage } from '../domain/image-event.ts';

/** What an upstream has made, and bills. */
export type Made = { readonly images: number; readonly usage?: ImageUsage; readonly facts?: ImageFacts };

type Counted = {
  readonly events: AsyncIterable<ImageEvent>;
  /** `undefined` until `done` has passed: the response was not read to its end. */
  made(): Made | undefined;
};

/**
 * Counts the images of one call while its events pass; partial images are none. Links are read ahead of their reader: they
 * are complete values, and what follows them must be known even if the first of them cannot be downloaded.
 */
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

  async function readPastLinks(): Promise<IteratorResult<ImageEvent>> {
    const first = await read();
    for (let last = first; !last.done && last.value.type === 'url'; ) {
      const following = read();
      // Whoever gets there is told.
      following.catch(() => {});
      ahead.push(following);
      last = await following.catch(() => ({ value: undefined, done: true }));
    }
    return first;
  }

  const events = {
    next: () => ahead.shift() ?? readPastLinks(),
    async return() {
      await rest.return?.();
      return { value: undefined, done: true } as const;
    },
    [Symbol.asyncIterator]: () => events,
  };
  return { events, made: () => made };
}
