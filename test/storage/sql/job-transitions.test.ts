import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { attempt, begin, claimOf, done, failure, keyless, leave, openJobStore, send } from './open-job-store.ts';

const kinds = [
  ['in memory', async () => undefined],
  ['in a directory', temporaryDirectory],
] as const;

describe.each(kinds)('jobs %s', (_, place) => {
  const open = async () => openJobStore({ directory: await place() });

  describe('with a key', () => {
    test('a claim begins a job; an equal one finds it while it runs', async () => {
      const store = await open();
      const claimed = await store.claim(claimOf());
      expect(claimed).toEqual({
        kind: 'new',
        lease: { job: expect.stringMatching(/^[\w-]{24}$/), epoch: 1 },
        isRepeat: false,
      });
      const { job } = await begin(store, claimOf({ key: 'other' }));
      expect(await store.claim(claimOf({ key: 'other' }))).toEqual({ kind: 'running', job });
      expect(await store.read(job)).toBeUndefined();
    });

    test.each([{ consumer: 'two' }, { operation: 'edit' as const }])('keys are apart by %j', async (change) => {
      const store = await open();
      await begin(store);
      expect(await store.claim(claimOf(change))).toMatchObject({ kind: 'new' });
    });

    test.each([done, failure('refused'), failure('unknown')])('$name is told again', async (end) => {
      const store = await open();
      const lease = await send(store);
      await store.finish(lease, end);
      expect(await store.claim(claimOf())).toEqual({ kind: 'ended', job: lease.job, end });
      expect(await store.read(lease.job)).toEqual(end);
    });

    test.each(['failed', 'not_processed', 'cancelled'] as const)('after %s it runs again', async (name) => {
      const store = await open();
      const lease = await send(store);
      await store.finish(lease, failure(name));
      expect(await store.read(lease.job)).toEqual(failure(name));
      const next = await store.claim(claimOf());
      expect(next).toEqual({ kind: 'new', lease: { job: lease.job, epoch: 2 }, isRepeat: false });
      expect(await store.read(lease.job)).toBeUndefined();
    });

    test('what was cancelled after it was sent is not bought again', async () => {
      const store = await open();
      const lease = await send(store);
      await store.finish(lease, failure('cancelled', true));
      expect(await store.claim(claimOf())).toMatchObject({ kind: 'ended', job: lease.job });
    });

    test.each([undefined, done, failure('failed'), failure('refused'), failure('unknown')])(
      'another request does not get the key after %j',
      async (end) => {
        const store = await open();
        const lease = await send(store);
        if (end !== undefined) await store.finish(lease, end);
        expect(await store.claim(claimOf({ fingerprint: 'different' }))).toEqual({ kind: 'mismatch' });
      },
    );

    test.each(['not_processed', 'cancelled'] as const)('another request gets the key after %s', async (name) => {
      const store = await open();
      await store.finish(await send(store), failure(name));
      await send(store, claimOf({ fingerprint: 'different' }));
      expect(await store.claim(claimOf())).toEqual({ kind: 'mismatch' });
    });

    test('nothing is recorded of what ended before anything was sent', async () => {
      const store = await open();
      const { job } = await begin(store);
      await store.finish({ job, epoch: 1 }, failure('not_processed'));
      expect(await store.read(job)).toBe('gone');
      expect(await store.claim(claimOf({ fingerprint: 'different' }))).toMatchObject({ kind: 'new' });
    });

    test('a repetition that could not be sent is still the only one, and keeps its key', async () => {
      const store = await open();
      const lease = await send(store);
      await store.finish(lease, failure('unknown'));
      const claim = claimOf({ mayRepeat: true });
      const repeated = { job: lease.job, epoch: 2 };
      expect(await store.claim(claim)).toEqual({ kind: 'new', lease: repeated, isRepeat: true });
      await store.finish(repeated, failure('not_processed'));
      expect(await store.claim(claimOf({ fingerprint: 'different' }))).toEqual({ kind: 'mismatch' });
      expect(await store.claim(claim)).toMatchObject({ kind: 'new', isRepeat: true });
    });

    test('an unknown outcome is repeated once if the operator wants that', async () => {
      const store = await open();
      const lease = await send(store);
      await store.finish(lease, failure('unknown'));
      const again = await store.claim(claimOf({ mayRepeat: true }));
      expect(again).toEqual({ kind: 'new', lease: { job: lease.job, epoch: 2 }, isRepeat: true });
      await store.finish({ job: lease.job, epoch: 2 }, failure('unknown'));
      expect(await store.claim(claimOf({ mayRepeat: true }))).toMatchObject({ kind: 'ended' });
    });

    test('a job that repeated a call by itself is not repeated', async () => {
      const store = await open();
      const lease = await send(store);
      await store.dispatch(lease, [attempt, attempt], true);
      await store.note(lease, [attempt, { ...attempt, handle: 'operation' }]);
      await store.finish(lease, failure('unknown'));
      expect(await store.claim(claimOf({ mayRepeat: true }))).toMatchObject({ kind: 'ended' });
    });

    test('what has expired is gone, and its key is free', async () => {
      const store = await open();
      const lease = await send(store);
      store.keepMs = 0;
      await store.finish(lease, done);
      expect(await store.read(lease.job)).toBe('gone');
      const next = await begin(store, claimOf({ fingerprint: 'different' }));
      expect(next.epoch).toBe(1);
      expect(next.job).not.toBe(lease.job);
    });

    test('finishing twice changes nothing', async () => {
      const store = await open();
      const lease = await send(store);
      await store.finish(lease, done);
      await store.finish(lease, failure('unknown'));
      expect(await store.read(lease.job)).toEqual(done);
    });

    test('an earlier lease may not write', async () => {
      const store = await open();
      const lease = await send(store);
      await store.finish(lease, failure('failed'));
      await begin(store);
      await expect(store.dispatch(lease, [attempt], false)).rejects.toMatchObject({
        kind: 'store_unavailable',
        outcome: 'not-processed',
        message: "The gateway's job store is not available. Nothing was sent to the image service.",
        cause: { message: 'the job was taken over by another process' },
      });
      const writes = [store.note(lease, [attempt]), store.finish(lease, done), store.release(lease)];
      await Promise.all(writes.map((write) => expect(write).rejects.toMatchObject({ kind: 'store_unavailable' })));
      expect(await store.read(lease.job)).toBeUndefined();
    });
  });

  describe('without a key', () => {
    test('a claim that rejoins nothing, and a job that sends nothing, cost no transaction', async () => {
      const store = await open();
      const { changes, commits } = await store.figures();
      const lease = await begin(store, keyless({ rejoinMs: 0 }));
      expect(await store.read(lease.job)).toBeUndefined();
      await store.orphan(lease);
      await store.release(lease);
      await store.finish(lease, failure('not_processed'));
      expect(await store.figures()).toEqual({ rows: {}, commits, changes });
    });

    test('a job is recorded when it is sent, and forgotten when its client has its response', async () => {
      const store = await open();
      const lease = await send(store, keyless());
      expect((await store.figures()).rows).toEqual({ running: 1 });
      await store.note(lease, [{ ...attempt, handle: 'operation' }]);
      await store.finish(lease, done);
      await store.finish(lease, done);
      expect((await store.figures()).rows).toEqual({});
      expect(await store.read(lease.job)).toBe('gone');
    });

    test('a job that somebody waits for is not joined', async () => {
      const store = await open();
      await send(store, keyless());
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
    });

    test('a job that was left is joined once, the oldest first', async () => {
      const store = await open();
      const one = await leave(store);
      const left = store.now();
      const two = await send(store, keyless({ rejoinMs: 0 }));
      await expect.poll(() => store.now()).toBeGreaterThan(left);
      await store.orphan(two);
      expect(await store.claim(keyless())).toEqual({ kind: 'running', job: one.job });
      expect(await store.claim(keyless())).toEqual({ kind: 'running', job: two.job });
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
      // Its new client has left, too.
      await store.orphan(one);
      expect(await store.claim(keyless())).toEqual({ kind: 'running', job: one.job });
    });

    test.each([{ consumer: 'two' }, { fingerprint: 'different' }, { rejoinMs: 0 }])(
      'a job that was left is not joined by %j',
      async (change) => {
        const store = await open();
        await leave(store);
        expect(await store.claim(keyless(change))).toMatchObject({ kind: 'new' });
      },
    );

    test('a job that was left for too long is not joined', async () => {
      const store = await open();
      await leave(store);
      const left = store.now();
      await expect.poll(() => store.now()).toBeGreaterThan(left + 1);
      expect(await store.claim(keyless({ rejoinMs: 1 }))).toMatchObject({ kind: 'new' });
      store.rejoinMs = 1;
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
    });

    test('a job whose new client has left without its response is joined again, while it runs and afterwards', async () => {
      const store = await open();
      const lease = await leave(store);
      for (let retry = 0; retry < 2; retry += 1) {
        expect(await store.claim(keyless())).toEqual({ kind: 'running', job: lease.job });
        store.putBack(lease.job);
      }
      await store.finish(lease, done);
      for (let retry = 0; retry < 2; retry += 1) {
        expect(await store.claim(keyless())).toEqual({ kind: 'ended', job: lease.job, end: done });
        if (retry === 0) store.putBack(lease.job);
      }
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
    });

    test.each([done, failure('refused')])('$name is told to one client', async (end) => {
      const store = await open();
      const { job, ...lease } = await leave(store);
      await store.finish({ job, ...lease }, end);
      expect(await store.claim(keyless())).toEqual({ kind: 'ended', job, end });
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
      expect(await store.read(job)).toEqual(end);
    });

    test('an unknown outcome is told to everybody', async () => {
      const store = await open();
      const lease = await leave(store);
      const end = failure('unknown');
      await store.finish(lease, end);
      for (let claims = 0; claims < 3; claims += 1) {
        expect(await store.claim(keyless())).toEqual({ kind: 'ended', job: lease.job, end });
      }
    });

    test('an unknown outcome is repeated once if the operator wants that', async () => {
      const store = await open();
      await store.finish(await leave(store), failure('unknown'));
      const again = await store.claim(keyless({ mayRepeat: true }));
      if (again.kind !== 'new') throw new Error(again.kind);
      expect(again.isRepeat).toBe(true);
      await store.dispatch(again.lease, [attempt], false);
      await store.orphan(again.lease);
      await store.finish(again.lease, failure('unknown'));
      expect(await store.claim(keyless({ mayRepeat: true }))).toMatchObject({ kind: 'ended' });
    });

    test.each(['failed', 'not_processed', 'cancelled'] as const)('after %s a claim begins anew', async (name) => {
      const store = await open();
      const lease = await leave(store);
      await store.finish(lease, failure(name));
      expect(await store.read(lease.job)).toEqual(name === 'failed' ? failure(name) : 'gone');
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new', isRepeat: false });
      expect((await store.figures()).rows).toEqual({});
    });

    test('a job that was left before it was sent counts as left once it is', async () => {
      const store = await open();
      const lease = await begin(store, keyless());
      await store.orphan(lease);
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
      await store.dispatch(lease, [attempt], false);
      expect(await store.claim(keyless())).toEqual({ kind: 'running', job: lease.job });
    });

    test('what has expired is not joined', async () => {
      const store = await open();
      const lease = await leave(store);
      store.rejoinMs = 0;
      await store.finish(lease, done);
      store.rejoinMs = 600_000;
      expect(await store.read(lease.job)).toBe('gone');
      expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
    });

    test('leaving a job that has ended is no failure', async () => {
      const store = await open();
      const lease = await send(store, keyless());
      await store.finish(lease, done);
      await store.orphan(lease);
      await store.release(lease);
    });
  });

  test('a job that was given up is taken over at once, and only once', async () => {
    const store = await open();
    const lease = await send(store, claimOf({ operation: 'edit', count: 3 }));
    expect(await store.takeOver()).toEqual([]);
    await store.release(lease);
    const taken = await store.takeOver();
    expect(taken).toEqual([
      {
        lease: { job: lease.job, epoch: 2 },
        consumer: 'one',
        operation: 'edit',
        model: 'poster',
        count: 3,
        isKeyed: true,
        isRetrievable: true,
        isBackground: false,
        isRepeat: false,
        request: undefined,
        inputs: undefined,
        attempts: [attempt],
        createdAt: expect.any(Number),
      },
    ]);
    expect(await store.takeOver()).toEqual([]);
    await expect(store.dispatch(lease, [attempt], false)).rejects.toMatchObject({ kind: 'store_unavailable' });
  });

  test('images of delivered responses are listed with the end of their jobs', async () => {
    const store = await open();
    const lease = await send(store);
    await send(store, claimOf({ key: 'runs on' }));
    const before = store.now();
    await store.finish(lease, done);
    expect(await Array.fromAsync(store.deliveredImages())).toEqual([]);
    store.delivered(lease.job);
    store.delivered('unknown');
    const [delivered] = await Array.fromAsync(store.deliveredImages());
    expect(delivered?.images).toEqual(['image-1']);
    expect(delivered?.endedAt).toBeGreaterThanOrEqual(before);
  });

  test('images of more delivered responses than fit on a page are all listed, each once', async () => {
    const store = await open();
    const keys = Array.from({ length: 1_001 }, (_, at) => `key ${at}`);
    const deliver = async (key: string) => {
      const lease = await begin(store, claimOf({ key }));
      await store.dispatch(lease, [{ ...attempt, images: [`image of ${key}`] }], false);
      await store.finish(lease, done);
      store.delivered(lease.job);
    };
    // Not all at once: a busy database would let the last ones wait for a connection for too long.
    for (let at = 0; at < keys.length; at += 50) await Promise.all(keys.slice(at, at + 50).map(deliver));
    const listed = await Array.fromAsync(store.deliveredImages());
    expect(listed.flatMap(({ images }) => images).sort()).toEqual(keys.map((key) => `image of ${key}`).sort());
  });

  test('of operations of one moment, one that fails fails alone', async () => {
    const store = await open();
    const old = await send(store, claimOf({ key: 'old' }));
    await store.finish(old, failure('failed'));
    await begin(store, claimOf({ key: 'old' }));
    const before = await store.figures();
    const claims = Array.from({ length: 300 }, (_, at) => store.claim(claimOf({ key: `key ${at}` })));
    const refused = expect(store.note(old, [attempt])).rejects.toMatchObject({ kind: 'store_unavailable' });
    for (const claimed of await Promise.all(claims)) expect(claimed.kind).toBe('new');
    await refused;
    const after = await store.figures();
    expect(after.rows).toEqual({ queued: 301 });
    expect(after.changes - before.changes).toBe(300);
  });

  test('a closed store refuses, and says so', async () => {
    const store = await open();
    await store.close();
    const claim = store.claim(claimOf());
    await expect(claim).rejects.toMatchObject({ cause: { message: 'the job store is closed' } });
  });
});
