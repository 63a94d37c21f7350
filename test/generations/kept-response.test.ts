import { describe, expect, test } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { StoredEvent } from '../../src/domain/job-store.ts';
import { KeptResponse } from '../../src/generations/kept-response.ts';
import { asStream } from '../helpers/json-text.ts';
import { isWaiting, keep } from './keep-image.ts';

const stored = { id: 'a', mediaType: 'image/png', length: 1, expiresAt: 1 };
const now = () => Math.floor(Date.now() / 1000);

/** The events of an image that is stored. */
function image(index: number, end: object = {}): ImageEvent[] {
  return [
    { type: 'image', index, isPartial: false },
    { type: 'image-end', index, stored, ...end },
  ];
}

function partialImage(index: number, partialIndex: number): ImageEvent[] {
  return [
    { type: 'image', index, isPartial: true },
    { type: 'image-end', index, partialIndex },
  ];
}

/** A response whose record resolves when the test says so. */
function collecting(events: AsyncIterable<ImageEvent>, count = 1) {
  const response = new KeptResponse();
  const recorded = Promise.withResolvers<void>();
  const records: (readonly StoredEvent[])[] = [];
  const record = (known: readonly StoredEvent[]) => {
    records.push(known);
    return recorded.promise;
  };
  const all = response.collect(events, { count, record });
  all.catch(() => {});
  return { response, all, records, finish: recorded.resolve };
}

/** What a reader has got so far. */
function reading(response: KeptResponse) {
  const got: ImageEvent[] = [];
  const all = (async () => {
    for await (const event of response.read()) got.push(event);
  })();
  return { got, all };
}

describe('a response that is kept', () => {
  test('ends for its readers only when it is recorded', async () => {
    const { response, records, finish, all } = collecting(asStream([...image(0), { type: 'done', created: 7 }]));
    const reader = reading(response);
    expect(await isWaiting(reader.all)).toBe(true);
    expect(reader.got.map(({ type }) => type)).toEqual(['image']);
    const recorded = { type: 'image', index: 0, image: stored, created: 7 };
    expect(records).toEqual([[recorded, { type: 'done', created: 7 }]]);
    finish();
    await Promise.all([all, reader.all]);
    expect(reader.got).toEqual([...image(0, { created: 7 }), { type: 'done', created: 7 }]);
  });

  test('gives every image but the last one as soon as it has come', async () => {
    const events: ImageEvent[] = [...image(0), ...image(1), { type: 'done' }];
    const { response, finish } = collecting(asStream(events), 2);
    const reader = reading(response);
    expect(await isWaiting(reader.all)).toBe(true);
    expect(reader.got.map(({ type }) => type)).toEqual(['image', 'image-end', 'image']);
    finish();
    await reader.all;
    expect(reader.got).toHaveLength(5);
  });

  test('gives partial images at once, of the last image, too, and records none of them', async () => {
    const hold = Promise.withResolvers<void>();
    async function* events() {
      yield* [...partialImage(0, 0), ...partialImage(0, 1)];
      await hold.promise;
      yield* [...image(0), { type: 'done' } as const];
    }
    const { response, records, finish } = collecting(events());
    const reader = reading(response);
    expect(await isWaiting(reader.all)).toBe(true);
    expect(reader.got.map(({ type }) => type)).toEqual(['image', 'image-end', 'image', 'image-end']);
    hold.resolve();
    finish();
    await reader.all;
    expect(reader.got).toHaveLength(7);
    expect(records[0]?.map(({ type }) => type)).toEqual(['image', 'done']);
  });

  test('tells the same time whenever it is written, the upstream’s where that tells one', async () => {
    const before = now();
    const untold = collecting(asStream<ImageEvent>([...image(0), ...image(1), { type: 'done' }]), 2);
    untold.finish();
    await untold.all;
    const times = (await Array.fromAsync(untold.response.read())).flatMap((event) =>
      event.type === 'image-end' || event.type === 'done' ? [event.created ?? 0] : [],
    );
    expect(times).toHaveLength(3);
    for (const time of times) expect(time >= before && time <= now()).toBe(true);
    expect(untold.records[0]?.map((event) => event.type !== 'url' && event.created)).toEqual(times);
    const told = collecting(asStream<ImageEvent>([...image(0, { created: 5 }), { type: 'done', created: 6 }]));
    told.finish();
    await told.all;
    expect(await Array.fromAsync(told.response.read())).toMatchObject([{}, { created: 5 }, { created: 6 }]);
  });

  test('records links, texts and usage, and images without a place in the store as such', async () => {
    const events: ImageEvent[] = [
      { type: 'url', index: 0, url: 'https://blob.example/1' },
      { type: 'image', index: 1, isPartial: false },
      { type: 'image-end', index: 1, created: 3, revisedPrompt: 'better', facts: { size: '1x1' } },
      { type: 'done', created: 4, usage: { total_tokens: 1 } },
    ];
    const { records, finish, all } = collecting(asStream(events), 2);
    finish();
    await all;
    expect(records).toEqual([
      [events[0], { type: 'image', index: 1, created: 3, revisedPrompt: 'better', facts: { size: '1x1' } }, events[3]],
    ]);
  });

  test('is read from its beginning by whoever comes later', async () => {
    const { response, finish, all } = collecting(asStream<ImageEvent>([...image(0), { type: 'done' }]));
    finish();
    await all;
    const [one, other] = [await Array.fromAsync(response.read()), await Array.fromAsync(response.read())];
    expect(one).toEqual(other);
    expect(one).toHaveLength(3);
  });

  test('that breaks off fails all its readers, and is not recorded', async () => {
    async function* events(): AsyncGenerator<ImageEvent> {
      yield* image(0);
      throw new Error('cut');
    }
    const { response, all, records } = collecting(events());
    await expect(all).rejects.toThrow('cut');
    const reader = reading(response);
    await expect(reader.all).rejects.toThrow('cut');
    // Its last image is complete only where it can be had again.
    expect(reader.got.map(({ type }) => type)).toEqual(['image']);
    expect(records).toEqual([]);
  });

  test('closes its images, and those that begin although it is closed', async () => {
    const response = new KeptResponse();
    const { image: one, store } = keep();
    response.add(one);
    expect(store.openFiles.size).toBe(1);
    await response.close();
    expect(store.openFiles.size).toBe(0);
    const late = keep({ store });
    response.add(late.image);
    await late.image.write(Buffer.from('AAAA'));
    expect(await late.image.end()).toBeUndefined();
    expect([store.openFiles.size, store.images.size]).toEqual([0, 0]);
  });
});
