import { readdir } from 'node:fs/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { UploadState } from '../../../src/domain/image-uploads.ts';
import { Secret } from '../../../src/domain/secret.ts';
import { connectBucket } from '../../../src/storage/objects/connect-bucket.ts';
import { numbered } from '../../storage/image-store-suite.ts';
import { openObjectStore, quick } from '../../storage/objects/object-store-fixture.ts';
import { png, put, readBack, receive } from '../../storage/store-directory.ts';
import { type Fault, type FaultyFront, startFaultyFront } from '../engines/faulty-front.ts';
import { objectStores, type StartedStore } from './buckets.ts';

const faults: readonly [Fault, RegExp][] = [
  [403, /responded 403 \(Injected\)/],
  [404, /responded 404 \(Injected\)/],
  [503, /responded 503 \(Injected\)/],
  ['cut', /did not respond \(\w+\)/],
  ['silent', /did not respond \(\w+\)/],
];

describe.each(objectStores)('$name', ({ start }) => {
  let started: StartedStore;
  let front: FaultyFront;
  beforeAll(async () => {
    started = await start();
    front = await startFaultyFront(started.origin);
  });
  beforeEach(() => {
    front.fault = undefined;
    front.concerns = () => true;
  });
  afterAll(async () => {
    await front?.close();
    await started?.close();
  });

  const open = async (options: Parameters<typeof openObjectStore>[1] = {}) => {
    const bucket = await connectBucket(started.storage(front.url), undefined);
    const store = await openObjectStore(bucket, options);
    const states: UploadState[] = [];
    store.uploads.watch((state) => states.push(state));
    return { store, states };
  };

  test.each(faults)(
    'that fails with %s: images are stored locally, read, and uploaded later',
    async (fault, reason) => {
      // Only what never responds has to be waited for.
      const times = fault === 'silent' ? { ...quick, acknowledgeMs: 500 } : quick;
      const { store, states } = await open({ times });
      front.fault = fault;
      const small = await put(store, png(3_000));
      const large = await put(store, numbered(7_000_000));
      expect(store.uploads.pending).toBe(2);
      expect(await readBack(store, small.id)).toEqual(png(3_000));
      expect((await readBack(store, large.id))?.equals(numbered(7_000_000))).toBe(true);
      expect(states).toEqual([{ pending: expect.any(Number), lastError: expect.stringMatching(reason) }]);
      front.fault = undefined;
      if (fault === 'silent') return;
      await expect.poll(() => store.uploads.pending).toBe(0);
      expect(await readdir(store.images)).toEqual([]);
      expect((await readBack(store, large.id))?.equals(numbered(7_000_000))).toBe(true);
      expect(states.at(-1)?.lastError).toBeUndefined();
    },
  );

  test('that fails in the middle of an image gets all of it later', async () => {
    const { store } = await open();
    const image = numbered(12_000_000);
    const arriving = receive(store);
    const before = front.requests.length;
    await arriving.write(image.subarray(0, 6_000_000));
    await expect.poll(() => front.requests.length).toBeGreaterThan(before);
    front.fault = 'cut';
    await arriving.write(image.subarray(6_000_000));
    const { id } = await arriving.commit();
    expect(store.uploads.pending).toBe(1);
    front.fault = undefined;
    await expect.poll(() => store.uploads.pending).toBe(0);
    expect((await readBack(store, id))?.equals(image)).toBe(true);
  });

  test('that has failed gets what waits after a restart', async () => {
    const { store } = await open();
    front.fault = 503;
    const { id } = await put(store, numbered(2_000_000));
    await store.close();
    front.fault = undefined;
    const { store: after } = await open({ directory: store.directory });
    await expect.poll(() => after.uploads.pending).toBe(0);
    expect(await readdir(after.images)).toEqual([]);
    expect((await readBack(after, id))?.equals(numbered(2_000_000))).toBe(true);
  });

  test('that is away is not taken for one without the image', async () => {
    const { store } = await open();
    const { id } = await put(store);
    for (const fault of [403, 503, 'cut'] as const) {
      front.fault = fault;
      await expect(store.open(id)).rejects.toMatchObject({ kind: 'store_unavailable' });
    }
  });

  test.each([403, 503, 'cut'] as const)('that fails with %s at the start ends it with one sentence', async (fault) => {
    front.fault = fault;
    const failure = await connectBucket(started.storage(front.url), undefined).catch((error: unknown) => error);
    expect((failure as Error).message).toMatch(/^IMAGES_URL cannot be used: the object store \w+( \w+)* \(\w+\)$/);
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toMatch(/canary|Signature|sig=/);
  });

  test('that only lets read is found at the start', async () => {
    front.concerns = (method) => method !== 'GET' && method !== 'HEAD';
    front.fault = 403;
    await expect(connectBucket(started.storage(front.url), undefined)).rejects.toThrow('responded 403 (Injected)');
  });
});

test('a wrong key of Azure is in no message', async () => {
  const azure = await (objectStores[0] as (typeof objectStores)[number]).start();
  try {
    const key = Buffer.from('a-key-that-is-wrong-canary').toString('base64');
    const storage = { ...azure.storage(), key: new Secret(key) };
    const failure = await connectBucket(storage as ReturnType<StartedStore['storage']>, undefined).catch(
      (e: unknown) => e,
    );
    expect((failure as Error).message).toBe(
      'IMAGES_URL cannot be used: the object store responded 403 (AuthorizationFailure)',
    );
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(key);
  } finally {
    await azure.close();
  }
});
