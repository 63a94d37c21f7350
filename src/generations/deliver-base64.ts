import { encodeBase64 } from '../codec/base64.ts';
import { replay } from '../concurrency/replay.ts';
import type { DownloadedImage } from '../domain/image-download.ts';
import type { ImageEvent } from '../domain/image-event.ts';

type LinkEvent = Extract<ImageEvent, { type: 'url' }>;

/**
 * Turns links into images. Links that stand before the first image, which is all of them in practice, are opened
 * and their first bytes checked before the promise settles, so that a lost result is still an ordinary error.
 */
export async function deliverBase64(
  events: AsyncIterable<ImageEvent>,
  download: (url: string) => Promise<DownloadedImage>,
): Promise<AsyncIterable<ImageEvent>> {
  const rest = events[Symbol.asyncIterator]();
  const head: ImageEvent[] = [];
  for (;;) {
    const { value: event, done } = await rest.next();
    if (done) break;
    head.push(event);
    if (event.type !== 'url') break;
  }
  const opened = new Map<LinkEvent, DownloadedImage>();
  await Promise.all(
    head.filter((event) => event.type === 'url').map(async (link) => opened.set(link, await download(link.url))),
  );
  return convert(replay(head, rest), async (link) => opened.get(link) ?? (await download(link.url)));
}

/** No generator: every piece of every image passes here, and a generator would cost it several turns more. */
function convert(
  events: AsyncIterator<ImageEvent>,
  open: (link: LinkEvent) => Promise<DownloadedImage>,
): AsyncIterable<ImageEvent> & AsyncIterator<ImageEvent> {
  let downloading: AsyncGenerator<ImageEvent> | undefined;
  return {
    async next() {
      const downloaded = await downloading?.next();
      if (downloaded && !downloaded.done) return downloaded;
      downloading = undefined;
      const next = await events.next();
      if (next.done || next.value.type !== 'url') return next;
      downloading = image(next.value, await open(next.value));
      return downloading.next();
    },
    async return(value) {
      await downloading?.return(value);
      await events.return?.();
      return { value, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* image({ type, url, ...link }: LinkEvent, { bytes }: DownloadedImage): AsyncGenerator<ImageEvent> {
  yield { type: 'image', index: link.index, isPartial: false };
  for await (const chunk of encodeBase64(bytes)) yield { type: 'bytes', chunk };
  yield { type: 'image-end', ...link };
}
