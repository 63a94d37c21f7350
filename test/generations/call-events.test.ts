import { expect, test } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { CallEvents } from '../../src/generations/call-events.ts';

const chunk = Buffer.from('AAAA');
const image = (index: number, isPartial = false): ImageEvent[] => [
  { type: 'image', index, isPartial },
  { type: 'bytes', chunk },
  { type: 'image-end', index },
];
const url = (index: number): ImageEvent => ({ type: 'url', index, url: `https://blob.example/${index}` });
const usage = { output_tokens: 7 };
const facts = { size: '1024x1024' };

async function* events(list: readonly ImageEvent[], failure?: Error): AsyncGenerator<ImageEvent> {
  yield* list;
  if (failure) throw failure;
}

test.each<[string, ImageEvent[], number]>([
  ['nothing', [], 0],
  ['two images', [...image(0), ...image(1)], 2],
  ['two links', [url(0), url(1)], 2],
  ['an image behind its partial ones', [...image(0, true), ...image(0, true), ...image(0)], 1],
  ['a link behind an image', [...image(0), url(1)], 2],
  ['an image behind a link', [url(0), ...image(1)], 2],
])('%s: counted, and handed on as it came', async (_name, list, images) => {
  const all: ImageEvent[] = [...list, { type: 'done', usage, facts }];
  const counted = new CallEvents(events(all));
  expect(counted.made).toBeUndefined();
  expect(await Array.fromAsync(counted)).toEqual(all);
  expect(counted.made).toEqual({ images, usage, facts });
});

test('a response whose end has not passed: what it has made is not known', async () => {
  const counted = new CallEvents(events([...image(0), { type: 'done' }]));
  for await (const event of counted) if (event.type === 'image-end') break;
  expect(counted.made).toBeUndefined();
});

test('links that are read ahead: what was made is known before any of them is handed on', async () => {
  const all: ImageEvent[] = [url(0), url(1), { type: 'done' }];
  const counted = new CallEvents(events(all));
  await counted.readLinks();
  expect(counted.made).toEqual({ images: 2 });
  expect(await Array.fromAsync(counted)).toEqual(all);
});

test('an image is not read ahead', async () => {
  const all: ImageEvent[] = [...image(0), url(1), { type: 'done' }];
  const counted = new CallEvents(events(all));
  await counted.readLinks();
  expect(counted.made).toBeUndefined();
  expect(await Array.fromAsync(counted)).toEqual(all);
});

test('a response that breaks behind its links is an ordinary error, and has made an unknown number', async () => {
  const counted = new CallEvents(events([url(0), url(1)], new Error('broken')));
  await expect(counted.readLinks()).rejects.toThrow('broken');
  expect(counted.made).toBeUndefined();
});

test('a reader that stops closes the source', async () => {
  let isClosed = false;
  const counted = new CallEvents(
    (async function* () {
      try {
        yield* events(image(0));
      } finally {
        isClosed = true;
      }
    })(),
  );
  for await (const _event of counted) break;
  expect(isClosed).toBe(true);
});
