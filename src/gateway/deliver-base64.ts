import { encodeBase64 } from '../domain/base64.ts';
import type { DownloadedImage, ImageDownload } from '../domain/image-download.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import { replay } from '../domain/replay.ts';

type LinkEvent = Extract<ImageEvent, { type: 'url' }>;

/**
 * Turns links into pictures. Links that stand before the first picture, which is all of them in practice, are opened
 * and their first bytes checked before the promise settles, so that a lost result is still an ordinary error.
 */
export async function deliverBase64(
  events: AsyncIterable<ImageEvent>,
  download: ImageDownload,
  signal: AbortSignal,
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
    head
      .filter((event) => event.type === 'url')
      .map(async (link) => opened.set(link, await download(link.url, signal))),
  );
  return convert(replay(head, rest), async (link) => opened.get(link) ?? (await download(link.url, signal)));
}

async function* convert(
  events: AsyncIterable<ImageEvent>,
  open: (link: LinkEvent) => Promise<DownloadedImage>,
): AsyncGenerator<ImageEvent> {
  for await (const event of events) {
    if (event.type === 'url') yield* picture(event, await open(event));
    else yield event;
  }
}

async function* picture({ type, url, ...link }: LinkEvent, { bytes }: DownloadedImage): AsyncGenerator<ImageEvent> {
  yield { type: 'image', index: link.index, isPartial: false };
  for await (const chunk of encodeBase64(bytes)) yield { type: 'bytes', chunk };
  yield { type: 'image-end', ...link };
}
