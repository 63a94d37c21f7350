import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { DownloadedImage } from '../../src/domain/image-download.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { CallEvents } from '../../src/generations/call-events.ts';
import { asStream } from '../helpers/json-text.ts';

type Download = (url: string) => Promise<DownloadedImage>;

/** The events of a call whose client wants base64. */
async function asImages(events: AsyncIterable<ImageEvent>, download: Download): Promise<CallEvents> {
  const images = new CallEvents(events, download);
  await images.readLinks();
  return images;
}

const echo: Download = async (url) => ({
  mediaType: 'image/png',
  bytes: asStream([Buffer.from(`file of ${url}`)]),
});
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The images as text, by index. */
async function images(events: AsyncIterable<ImageEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const event of events) {
    if (event.type === 'image') found[event.index] = '';
    if (event.type === 'bytes') found[found.length - 1] += event.chunk.toString();
  }
  return found;
}

describe('events of a call whose client wants base64', () => {
  test('turns links into images, in order, and keeps what stood beside them', async () => {
    const links: ImageEvent[] = [
      { type: 'url', index: 0, url: 'a' },
      { type: 'url', index: 1, url: 'b', revisedPrompt: 'c' },
      { type: 'done', created: 7 },
    ];
    const events = await Array.fromAsync(await asImages(asStream(links), echo));
    expect(events.filter(({ type }) => type !== 'bytes')).toEqual([
      { type: 'image', index: 0, isPartial: false },
      { type: 'image-end', index: 0 },
      { type: 'image', index: 1, isPartial: false },
      { type: 'image-end', index: 1, revisedPrompt: 'c' },
      { type: 'done', created: 7 },
    ]);
    expect(await images(asStream(events))).toEqual([base64('file of a'), base64('file of b')]);
  });

  test('rejects before the first event when one of the links cannot be opened', async () => {
    const lost = new GatewayError('upstream_result_unavailable', 'lost', { outcome: 'unknown' });
    const download: Download = async (url) => (url === 'b' ? Promise.reject(lost) : echo(url));
    const links: ImageEvent[] = ['a', 'b', 'c'].map((url, index) => ({ type: 'url', index, url }));
    await expect(asImages(asStream(links), download)).rejects.toBe(lost);
  });

  test('opens every link before it settles', async () => {
    const opened: string[] = [];
    const download: Download = async (url) => {
      opened.push(url);
      return echo(url);
    };
    const links: ImageEvent[] = ['a', 'b', 'c'].map((url, index) => ({ type: 'url', index, url }));
    await asImages(asStream<ImageEvent>([...links, { type: 'done' }]), download);
    expect(opened).toEqual(['a', 'b', 'c']);
  });

  test('passes images through, and still opens a link that stands behind one', async () => {
    const mixed: ImageEvent[] = [
      { type: 'image', index: 0, isPartial: false },
      { type: 'bytes', chunk: Buffer.from('cGlj') },
      { type: 'image-end', index: 0 },
      { type: 'url', index: 1, url: 'b' },
      { type: 'done' },
    ];
    expect(await images(await asImages(asStream(mixed), echo))).toEqual(['cGlj', base64('file of b')]);
  });
});
