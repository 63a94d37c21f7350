import { describe, expect, test } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { StoredImage } from '../../src/domain/image-store.ts';
import { deliver, dropPartialImages, wantedBy } from '../../src/generations/delivery.ts';
import { asStream } from '../helpers/json-text.ts';
import { imageEvents } from './keep-image.ts';

const hosting = { urlOf: ({ id }: StoredImage) => `https://gateway.example/${id}` };
const stored = (id: string): StoredImage => ({ id, mediaType: 'image/png', length: 1, expiresAt: 1 });
const reader = {};

/** An image with a source; it is stored under its text. */
function kept(index: number, text: string, { isPartial = false, isStored = true } = {}): ImageEvent[] {
  const source = { read: () => asStream([Buffer.from(text.slice(0, 1)), Buffer.from(text.slice(1))]) };
  return [
    { type: 'image', index, isPartial, source },
    {
      type: 'image-end',
      index,
      ...(isPartial && { partialIndex: 0 }),
      ...(isStored && !isPartial && { stored: stored(text) }),
      ...(text === 'bb' && { revisedPrompt: 'better' }),
    },
  ];
}

const done: ImageEvent = { type: 'done', created: 1 };
const events = [...kept(0, 'rough', { isPartial: true }), ...kept(0, 'aa'), ...kept(1, 'bb'), done];

const plain = { stream: false, partialImages: 0 } as ImageRequest;
const asked = { delivery: undefined, fallback: 'b64_json', hosting } as const;

/** What a client gets: the bytes of each image as one text. */
async function delivered(wanted: ReturnType<typeof wantedBy>, from = events) {
  const all: unknown[] = [];
  for await (const event of await deliver(asStream(from), wanted, reader)) {
    if (event.type !== 'bytes') all.push(event);
    else if (typeof all.at(-1) === 'string') all.push(`${all.pop()}${event.chunk}`);
    else all.push(String(event.chunk));
  }
  return all;
}

describe('a kept response', () => {
  test('is given as base64, without partial images to clients that did not ask for them', async () => {
    const [, , a, aEnd, b, bEnd] = events;
    expect(await delivered(wantedBy(plain, asked))).toEqual([a, 'aa', aEnd, b, 'bb', bEnd, done]);
  });

  test('is given with partial images to streams that asked for some', async () => {
    const wanted = wantedBy({ ...plain, stream: true, partialImages: 2 }, asked);
    expect((await delivered(wanted)).filter((event) => typeof event === 'string')).toEqual(['rough', 'aa', 'bb']);
    const none = wantedBy({ ...plain, stream: true }, asked);
    expect((await delivered(none)).filter((event) => typeof event === 'string')).toEqual(['aa', 'bb']);
  });

  test('is given as links that have to be signed first', async () => {
    const signing = { urlOf: async ({ id }: StoredImage) => `https://store.example/${id}?signature` };
    const links = await delivered(wantedBy(plain, { ...asked, delivery: 'url', hosting: signing }));
    expect(links[0]).toEqual({ type: 'url', index: 0, url: 'https://store.example/aa?signature' });
  });

  test('is given as links, with what stood beside each image, and to a stream as base64 all the same', async () => {
    const wanted = { ...asked, delivery: 'url' } as const;
    expect(await delivered(wantedBy(plain, wanted))).toEqual([
      { type: 'url', index: 0, url: 'https://gateway.example/aa' },
      { type: 'url', index: 1, url: 'https://gateway.example/bb', revisedPrompt: 'better' },
      done,
    ]);
    expect(await delivered(wantedBy({ ...plain, stream: true }, wanted))).toContain('aa');
  });

  test.each([
    ['the client says nothing: as the model does by default', { fallback: 'url', delivery: undefined, hosting }, false],
    ['no images are hosted: as base64', { fallback: 'url', delivery: 'url', hosting: undefined }, true],
    ['the client says so: as base64', { fallback: 'url', delivery: 'b64_json', hosting }, true],
  ] as const)('where %s', async (_, wanted, isBase64) => {
    const all = await delivered(wantedBy(plain, wanted));
    expect(all.includes('aa')).toBe(isBase64);
  });

  test('leaves links of the upstream as they are', async () => {
    const link: ImageEvent = { type: 'url', index: 0, url: 'https://blob.example/1' };
    for (const delivery of ['url', 'b64_json'] as const) {
      expect(await delivered(wantedBy(plain, { ...asked, delivery }), [link, done])).toEqual([link, done]);
    }
  });

  test('has no link for an image that could not be stored', async () => {
    const from = [...kept(0, 'aa'), ...kept(1, 'bb', { isStored: false }), done];
    const wanted = wantedBy(plain, { ...asked, delivery: 'url' });
    await expect(delivered(wanted, from)).rejects.toMatchObject({ kind: 'storage_failed', outcome: 'unknown' });
    // Whoever read it while it came has it.
    expect(await delivered(wantedBy(plain, asked), from)).toContain('bb');
  });

  test('rejects with what breaks it, before there is a link', async () => {
    async function* broken(): AsyncGenerator<ImageEvent> {
      yield* kept(0, 'aa');
      throw new Error('cut');
    }
    const wanted = wantedBy(plain, { ...asked, delivery: 'url' });
    await expect(deliver(broken(), wanted, reader)).rejects.toThrow('cut');
  });

  test('tells each source who reads it, and closes it when that one stops', async () => {
    const seen: unknown[] = [];
    let isClosed = false;
    async function* read(who?: object) {
      seen.push(who);
      try {
        yield Buffer.from('a');
        yield Buffer.from('b');
      } finally {
        isClosed = true;
      }
    }
    const image: ImageEvent = { type: 'image', index: 0, isPartial: false, source: { read } };
    for await (const { type } of await deliver(asStream([image]), wantedBy(plain, asked), reader)) {
      if (type === 'bytes') break;
    }
    expect([seen, isClosed]).toEqual([[reader], true]);
  });
});

test('dropPartialImages leaves the images themselves', async () => {
  const events = [...imageEvents(0, 'rough', true), ...imageEvents(0, 'fine'), { type: 'done' } as const];
  expect(await Array.fromAsync(await dropPartialImages(asStream(events)))).toEqual([
    ...imageEvents(0, 'fine'),
    { type: 'done' },
  ]);
});
