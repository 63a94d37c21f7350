import { describe, expect, test } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { KeepableEvents } from '../../src/generations/keepable-events.ts';
import { KeptImage } from '../../src/generations/kept-image.ts';
import { asStream } from '../helpers/json-text.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { imageEvents, readAll } from './keep-image.ts';

const image = (index: number, text: string, isPartial = false) =>
  imageEvents(index, text, isPartial, { revisedPrompt: text });

const events = [...image(0, 'rough', true), ...image(0, 'one'), ...image(1, 'two'), { type: 'done' } as const];

/** Keeps images in memory; those without an id of their own get one. */
function keeper({ mustBeStored = false } = {}) {
  const store = new MemoryImageStore();
  const kept: (string | undefined)[] = [];
  const keepImage = (id: string | undefined) => {
    kept.push(id);
    const file = store.receive(id ?? `other ${kept.length}`, { isKept: true });
    const retrying = mustBeStored ? { signal: new AbortController().signal, until: 0 } : undefined;
    return new KeptImage({ file, writeBytes: () => 1024, mustBeStored: retrying, readers: () => [] });
  };
  return { store, kept, keepImage };
}

describe('the events of a call', () => {
  test('pass as they are, and close their source when their reader stops, where nothing is kept', async () => {
    expect(await Array.fromAsync(new KeepableEvents(asStream(events), ['a', 'b']))).toEqual(events);
    let isClosed = false;
    async function* source() {
      try {
        yield* events;
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of new KeepableEvents(source(), [])) break;
    expect(isClosed).toBe(true);
  });

  test('that are kept have sources in place of bytes, and images under their ids', async () => {
    const { store, kept, keepImage } = keeper();
    const keepable = new KeepableEvents(asStream(events), ['a', 'b']);
    keepable.keep(keepImage);
    const all = await Array.fromAsync(keepable);
    expect(all.map(({ type }) => type)).toEqual([...Array(3).fill(['image', 'image-end']).flat(), 'done']);
    expect(kept).toEqual([undefined, 'a', 'b']);
    expect([...store.images].map(([id, { bytes }]) => `${id}: ${bytes}`)).toEqual(['a: one', 'b: two']);
    expect(all.map((event) => (event.type === 'image-end' ? event.stored?.id : event.type))).toEqual([
      'image',
      undefined,
      'image',
      'a',
      'image',
      'b',
      'done',
    ]);
    const texts = all.flatMap((event) =>
      event.type === 'image' && event.source ? [readAll(event.source.read())] : [],
    );
    const decoded = (await Promise.all(texts)).map((text) => String(Buffer.from(String(text), 'base64')));
    expect(decoded).toEqual(['rough', 'one', 'two']);
    await keepable.stored;
  });

  test('are read to their end by themselves, also when their reader stops', async () => {
    const { store, keepImage } = keeper();
    const keepable = new KeepableEvents(asStream(events), ['a', 'b']);
    keepable.keep(keepImage);
    for await (const _ of keepable) break;
    await keepable.stored;
    expect([...store.images.keys()]).toEqual(['a', 'b']);
  });

  test('are not kept once they are being read, and are kept once only', async () => {
    const { kept, keepImage } = keeper();
    const read = new KeepableEvents(asStream(events), ['a', 'b']);
    const first = await read.next();
    read.keep(keepImage);
    expect([first.value, ...(await Array.fromAsync(read))]).toEqual(events);
    expect(kept).toEqual([]);
    const twice = new KeepableEvents(asStream(events), ['a', 'b']);
    twice.keep(keepImage);
    twice.keep(() => expect.unreachable());
    await twice.stored;
    expect(kept).toHaveLength(3);
  });

  test('with more images than were asked for: these get ids of their own', async () => {
    const { kept, keepImage } = keeper();
    const keepable = new KeepableEvents(asStream(events), ['a']);
    keepable.keep(keepImage);
    await keepable.stored;
    expect(kept).toEqual([undefined, 'a', undefined]);
  });

  test('fail with what breaks them in the middle of an image, of which nothing stays', async () => {
    const { store, keepImage } = keeper();
    let isClosed = false;
    async function* source(): AsyncGenerator<ImageEvent> {
      try {
        yield* image(0, 'one');
        yield* image(1, 'two').slice(0, 2);
        throw new Error('cut');
      } finally {
        isClosed = true;
      }
    }
    const keepable = new KeepableEvents(source(), ['a', 'b']);
    keepable.keep(keepImage);
    await expect(keepable.stored).rejects.toThrow('cut');
    const read: ImageEvent[] = [];
    const all = (async () => {
      for await (const event of keepable) read.push(event);
    })();
    await expect(all).rejects.toThrow('cut');
    expect([read.length, isClosed, [...store.images.keys()]]).toEqual([3, true, ['a']]);
    expect([...store.openFiles].every(({ hasEnded }) => hasEnded)).toBe(true);
  });

  test('fail with a disk that fails, and let their source go, where images must be stored', async () => {
    const { store, keepImage } = keeper({ mustBeStored: true });
    store.disk.failsToCommit = true;
    let isClosed = false;
    async function* source(): AsyncGenerator<ImageEvent> {
      try {
        yield* events.slice(4);
      } finally {
        isClosed = true;
      }
    }
    const keepable = new KeepableEvents(source(), ['a', 'b']);
    keepable.keep(keepImage);
    await expect(keepable.stored).rejects.toMatchObject({ kind: 'storage_failed' });
    await expect(Array.fromAsync(keepable)).rejects.toMatchObject({ kind: 'storage_failed' });
    expect(isClosed).toBe(true);
  });
});
