import { encodeBase64 } from '../codec/base64.ts';
import type { DownloadedImage } from '../domain/image-download.ts';
import type { ImageEvent, ImageFacts, ImageUsage } from '../domain/image-event.ts';

/** What an upstream has made, once its response was read to the end: that is billed. */
export type Made = {
  readonly images: number;
  readonly usage?: ImageUsage | undefined;
  readonly facts?: ImageFacts | undefined;
};

type Download = (url: string) => Promise<DownloadedImage>;

type Link = Extract<ImageEvent, { type: 'url' }>;

/**
 * The events of one call: counts what was made while they pass, and turns links into images where the client wants base64.
 * No generator: every piece of every image passes here, and a generator would cost it several microtasks more.
 */
export class CallEvents implements AsyncIterableIterator<ImageEvent> {
  readonly #source: AsyncIterator<ImageEvent>;
  readonly #download: Download | undefined;
  /** What was read before the first event was taken. */
  readonly #ahead: IteratorResult<ImageEvent>[] = [];
  readonly #opened = new Map<Link, Promise<DownloadedImage>>();
  #downloading: AsyncGenerator<ImageEvent> | undefined;
  #images = 0;
  #isPartial = false;
  /** `undefined` until the last event has passed: what was made until then is not known. */
  made: Made | undefined;

  /** @param download opens a link whose image is wanted; `undefined`: links are passed on */
  constructor(events: AsyncIterable<ImageEvent>, download?: Download) {
    this.#source = events[Symbol.asyncIterator]();
    this.#download = download;
  }

  /**
   * To be awaited before the first event is taken: reads the links that stand before the first image, which is all of them in
   * practice, so that what was made is known before the response to the client begins. Where images are wanted, opens them
   * together. Rejects when the response breaks, or a link cannot be opened: until then that is an ordinary error.
   */
  async readLinks(): Promise<void> {
    let next = await this.#read();
    for (; !next.done && next.value.type === 'url'; next = await this.#read()) this.#ahead.push(next);
    const links = this.#ahead.map(({ value }) => value as Link);
    this.#ahead.push(next);
    if (this.#download !== undefined) await Promise.all(links.map((link) => this.#open(link)));
  }

  async next(): Promise<IteratorResult<ImageEvent>> {
    const downloaded = await this.#downloading?.next();
    if (downloaded && !downloaded.done) return downloaded;
    this.#downloading = undefined;
    const next = this.#ahead.shift() ?? (await this.#read());
    if (this.#download === undefined || next.done || next.value.type !== 'url') return next;
    this.#downloading = downloadedImage(next.value, await this.#open(next.value));
    return this.#downloading.next();
  }

  async return(value?: unknown): Promise<IteratorResult<ImageEvent>> {
    await this.#downloading?.return(value);
    await this.#source.return?.();
    return { value, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #read(): Promise<IteratorResult<ImageEvent>> {
    const next = await this.#source.next();
    if (next.done) return next;
    const event = next.value;
    if (event.type === 'image') this.#isPartial = event.isPartial;
    else if (event.type === 'url' || (event.type === 'image-end' && !this.#isPartial)) this.#images += 1;
    else if (event.type === 'done') this.made = { images: this.#images, usage: event.usage, facts: event.facts };
    return next;
  }

  #open(link: Link): Promise<DownloadedImage> {
    const opened = this.#opened.get(link) ?? (this.#download as Download)(link.url);
    this.#opened.set(link, opened);
    return opened;
  }
}

async function* downloadedImage({ type, url, ...link }: Link, { bytes }: DownloadedImage): AsyncGenerator<ImageEvent> {
  yield { type: 'image', index: link.index, isPartial: false };
  for await (const chunk of encodeBase64(bytes)) yield { type: 'bytes', chunk };
  yield { type: 'image-end', ...link };
}
