import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connectBucket } from '../../../src/storage/objects/connect-bucket.ts';
import type { ObjectBucket } from '../../../src/storage/objects/object-bucket.ts';
import { createObjectKeptInputs } from '../../../src/storage/objects/object-kept-inputs.ts';
import { ObjectSweep } from '../../../src/storage/objects/object-sweep.ts';
import { describeImageStore, numbered } from '../../storage/image-store-suite.ts';
import { editOf, readInput } from '../../storage/objects/kept-edit.ts';
import { openObjectStore } from '../../storage/objects/object-store-fixture.ts';
import { newId, png, put, readBack } from '../../storage/store-directory.ts';
import { objectStores, type StartedStore } from './buckets.ts';

const hour = 60 * 60_000;
const never = AbortSignal.any([]);

describe.each(objectStores)('$name', ({ start, ranges }) => {
  let started: StartedStore;
  let bucket: ObjectBucket;
  beforeAll(async () => {
    started = await start();
    bucket = await connectBucket(started.storage(), undefined);
  });
  afterAll(async () => {
    bucket?.close();
    await started?.close();
  });

  /** One that lives on when its store is closed. */
  const shared = () =>
    new Proxy(bucket, { get: (target, name) => (name === 'close' ? () => {} : bound(target, name)) });

  describeImageStore('as an image store', (settings) => openObjectStore(shared(), settings), ranges);

  test('an image can be read by another gateway, whose directory has none', async () => {
    const one = await openObjectStore(shared());
    const image = await put(one, numbered(2_000_000), { isKept: true });
    expect(await readdir(one.images)).toEqual([]);
    const other = await openObjectStore(shared());
    expect(await other.open(image.id)).toMatchObject(image);
    expect((await readBack(other, image.id))?.equals(numbered(2_000_000))).toBe(true);
  });

  test('a signed link gives the image to anybody, as an image that is shown', async () => {
    const store = await openObjectStore(shared());
    const image = await put(store, png(5_000));
    const link = (await store.linkTo(image)) as string;
    const response = await fetch(link);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('content-disposition')).toBe('inline');
    expect(Buffer.from(await response.arrayBuffer())).toEqual(png(5_000));
    // A link of S3 is signed for GET alone; one of Azure says what it permits.
    expect(new URL(link).searchParams.get('sp') ?? 'r').toBe('r');
  });

  test('a signed link ends with its image, and after a week at the latest', async () => {
    const until = (link: string) => {
      const { searchParams } = new URL(link);
      const seconds = Number(searchParams.get('X-Amz-Expires'));
      return seconds > 0 ? Date.now() + seconds * 1_000 : Date.parse(searchParams.get('se') ?? '');
    };
    const soon = Date.now() + hour;
    expect(Math.abs(until(await bucket.link('images/x', soon)) - soon)).toBeLessThan(5_000);
    const week = Date.now() + 7 * 24 * hour;
    expect(Math.abs(until(await bucket.link('images/x', soon + 30 * 24 * hour)) - week)).toBeLessThan(60_000);
  });

  test('the sweep removes what has expired, and nothing else', async () => {
    const clock = { now: Date.now() };
    const store = await openObjectStore(shared(), { lifetimeMs: hour, now: () => clock.now });
    const short = await put(store);
    store.resize({ lifetimeMs: 20 * hour });
    const long = await put(store);
    const lifetimeMs = () => hour;
    const inputs = createObjectKeptInputs({ bucket, lifetimeMs, now: () => clock.now });
    await inputs.keep('consumer', editOf([Buffer.from('a')]));
    const sweep = new ObjectSweep({ bucket, lifetimeMs, now: () => clock.now });
    onTestFinished(() => sweep.close());
    await sweep.sweep();
    expect(await bucket.head(`images/${short.id}`, never)).toBeDefined();
    clock.now += 3 * hour;
    await sweep.sweep();
    expect(await bucket.head(`images/${short.id}`, never)).toBeUndefined();
    expect(await names(bucket, 'inputs/')).toEqual([]);
    // A listing of S3 does not tell how long an image is kept.
    const isTold = (await names(bucket, 'images/')).length > 0;
    expect(await bucket.head(`images/${long.id}`, never).then((head) => head !== undefined)).toBe(isTold);
  });

  test('a listing of more objects than fit on a page has all of them', async () => {
    const properties = { contentType: 'image/png', expiresAt: Date.now(), isKept: false };
    const made = Array.from({ length: 1_020 }, (_, at) => `listed/${String(at).padStart(4, '0')}`);
    const pending = [...made];
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let name = pending.pop(); name !== undefined; name = pending.pop())
          await bucket.put(name, Buffer.from('x'), properties, never);
      }),
    );
    expect(await names(bucket, 'listed/')).toEqual(made);
  });

  test('inputs of a job are read by another gateway, and are gone when they are released', async () => {
    const bytes = [numbered(7_000_000), png(100)];
    const edit = editOf(bytes);
    const settings = { bucket, lifetimeMs: () => hour };
    const name = await createObjectKeptInputs(settings).keep('consumer', edit);
    const kept = createObjectKeptInputs(settings).open(name);
    for (const [at, image] of edit.images.entries())
      expect((await readInput(kept, image)).equals(bytes[at] as Buffer)).toBe(true);
    await kept.release();
    expect(await names(bucket, `inputs/${name}/`)).toEqual([]);
  });

  test('an object that is not there cannot be read, and need not be removed', async () => {
    await expect(bucket.read(`images/${newId()}`, undefined, never)).rejects.toMatchObject({ status: 404 });
    await bucket.remove(`images/${newId()}`, never);
  });

  test('reading can be given up in the middle', async () => {
    const store = await openObjectStore(shared());
    const { id } = await put(store, numbered(6_000_000));
    const opened = await store.open(id);
    const reading = opened?.read();
    for await (const _ of reading ?? []) break;
    expect(reading?.destroyed).toBe(true);
    expect(opened && (await buffer(opened.read({ first: 0, last: 7 })))).toEqual(png(8));
  });
});

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}

async function names(bucket: ObjectBucket, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of bucket.list(prefix, never)) found.push(name);
  return found.sort();
}
