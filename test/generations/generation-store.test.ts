import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { JobEnd, JobStore } from '../../src/domain/job-store.ts';
import { hangs, imagesOf, keyed, patience, withSteps } from './crash.ts';
import { type Answer, drawn, failed, fakeGateway, held, openJobs, refused, silent, unknown } from './fake-targets.ts';

const storeAway = () => new GatewayError('store_unavailable', 'away', { outcome: 'not-processed' });

/** A store of which some steps fail until they are told to work. */
async function failingStore(...names: (keyof JobStore)[]) {
  const jobs = await openJobs();
  const state = { isAway: true, failures: 0 };
  const failing = names.map((name) => [
    name,
    async (...values: never[]) => {
      if (!state.isAway) return (jobs[name] as (...given: never[]) => unknown)(...values);
      state.failures += 1;
      throw storeAway();
    },
  ]);
  return { state, store: withSteps(jobs, Object.fromEntries(failing)) };
}

describe('nothing is sent', () => {
  test.each([['claim' as const], ['dispatch' as const]])('when the store fails to %s', async (name) => {
    const { state, store } = await failingStore(name);
    const fake = await fakeGateway([{ answers: [drawn] }], { store });
    for (const caller of [keyed, {}]) {
      // Without a key, a claim touches no disk.
      if (name === 'claim' && caller !== keyed) continue;
      const events = (async () => (await fake.start({}, caller)).events)();
      await expect(events).rejects.toMatchObject({ kind: 'store_unavailable', outcome: 'not-processed' });
    }
    expect([fake.calls, fake.gateway.inFlight]).toEqual([[], 0]);
    state.isAway = false;
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(1);
  });

  test('when there is no room for the images of a request with a key; without one they are not stored', async () => {
    const fake = await fakeGateway([{ answers: [drawn] }], { store: await openJobs() });
    fake.images.disk.isFull = true;
    await expect((await fake.start({}, keyed)).events).rejects.toMatchObject({ kind: 'storage_full' });
    expect(fake.calls).toEqual([]);
    expect(await imagesOf(await fake.start())).toEqual(['a cat 0']);
    fake.images.disk.isFull = false;
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
  });

  test('for a key that belongs to another request', async () => {
    const fake = await fakeGateway([{ answers: [drawn] }], { store: await openJobs() });
    await imagesOf(await fake.start({}, keyed));
    const other = fake.start({ prompt: 'a dog' }, keyed);
    await expect(other).rejects.toMatchObject({ kind: 'idempotency_key_reused', param: 'Idempotency-Key' });
    expect(fake.calls).toHaveLength(1);
  });

  test('for a request whose client leaves while it is dispatched, and its key is free', async () => {
    const jobs = await openJobs();
    const hold = Promise.withResolvers<void>();
    let dispatches = 0;
    const store = withSteps(jobs, {
      async dispatch(...values) {
        await jobs.dispatch(...values);
        dispatches += 1;
        await hold.promise;
      },
    });
    const fake = await fakeGateway([{ answers: [drawn] }], { store });
    const reader = await fake.start({}, keyed);
    await expect.poll(() => dispatches, patience).toBe(1);
    reader.leave();
    await expect(reader.events).rejects.toMatchObject({ kind: 'client_gone' });
    hold.resolve();
    await fake.inFlight.recorded();
    expect(fake.calls).toEqual([]);
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(1);
  });
});

describe('a request that may not start', () => {
  const refusal = new GatewayError('rate_limited', 'too many');

  test('joins and replays all the same, and leaves its key to others', async () => {
    const fake = await fakeGateway([{ answers: [drawn] }], { store: await openJobs() });
    await expect(fake.start({}, { ...keyed, refusal })).rejects.toBe(refusal);
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    expect(await imagesOf(await fake.start({}, { ...keyed, refusal }))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(1);
  });

  test('leaves its key to others also when that cannot be recorded at once', async () => {
    const { state, store } = await failingStore('finish');
    const fake = await fakeGateway([{ answers: [drawn] }], { store });
    await expect(fake.start({}, { ...keyed, refusal })).rejects.toBe(refusal);
    state.isAway = false;
    const waiting = await fake.start({}, keyed);
    await expect(waiting.events).rejects.toMatchObject({ kind: 'overloaded' });
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
  });
});

describe('an end that cannot be recorded', () => {
  test('holds no response up, is recorded later, and is known to equal requests meanwhile', async () => {
    const { state, store } = await failingStore('finish');
    const fake = await fakeGateway([{ answers: [drawn] }], { store });
    const first = await fake.start({}, keyed);
    expect(await imagesOf(first)).toEqual(['a cat 0']);
    await expect.poll(() => fake.gateway.inFlight, patience).toBe(0);
    await expect.poll(() => fake.images.openFiles.size, patience).toBe(0);
    // Its own files are closed, and it is found under its key.
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    state.isAway = false;
    await expect.poll(() => store.read(first.report.id), patience).toMatchObject({ name: 'done' });
    await expect.poll(() => fake.inFlight.find(first.report.id), patience).toBeUndefined();
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(1);
  });

  test('is waited for before a response ends', async () => {
    const jobs = await openJobs();
    const ends: JobEnd[] = [];
    const store = withSteps(jobs, {
      async finish(_lease, end) {
        ends.push(end);
        await hangs();
      },
    });
    const fake = await fakeGateway([{ answers: [drawn] }], { store });
    const reader = await fake.start({}, keyed);
    const got: string[] = [];
    const reading = (async () => {
      for await (const { type } of await reader.events) got.push(type);
    })();
    void reading;
    await expect.poll(() => ends.length, patience).toBe(1);
    await new Promise(setImmediate);
    expect([...new Set(got)]).toEqual(['image', 'bytes']);
    expect(ends).toMatchObject([{ name: 'done', response: { events: [{ type: 'image' }, { type: 'done' }] } }]);
  });
});

describe('a key whose request has ended', () => {
  const gone = { kind: 'idempotency_result_gone' };

  test('replays, and marks its images as delivered', async () => {
    const fake = await fakeGateway([{ answers: [drawn] }], { store: await openJobs() });
    const first = await fake.start({ count: 2 }, keyed);
    const images = await imagesOf(first);
    const again = await fake.start({ count: 2 }, keyed);
    expect(await imagesOf(again)).toEqual(images);
    expect([first.report.id, fake.retries]).toEqual([again.report.id, ['replayed']]);
    expect([...fake.images.evictable.keys()]).toEqual([...fake.images.images.keys()]);
    await expect.poll(async () => (await Array.fromAsync(fake.store.deliveredImages())).length, patience).toBe(1);
  });

  test.each([
    ['refused', refused, { kind: 'content_policy_violation', outcome: 'refused' }],
    ['unknown', unknown, { kind: 'upstream_outcome_unknown', outcome: 'unknown' }],
  ])('as %s is told so again, without a call', async (_, answer, error) => {
    const fake = await fakeGateway([{ answers: [answer, drawn] }], { store: await openJobs() });
    for (let time = 0; time < 3; time += 1) {
      await expect((await fake.start({}, keyed)).events).rejects.toMatchObject(error);
    }
    expect(fake.calls).toHaveLength(1);
  });

  test('as failed runs again', async () => {
    const fake = await fakeGateway([{ answers: [failed, drawn] }], {
      store: await openJobs(),
      model: { maxRetries: 0 },
    });
    await expect((await fake.start({}, keyed)).events).rejects.toMatchObject({ outcome: 'failed' });
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
  });

  test('as unknown runs once more where the operator wants that, and not a third time', async () => {
    const fake = await fakeGateway([{ answers: [unknown] }], {
      store: await openJobs(),
      model: { onUnknownOutcome: 'retry', maxRetries: 0 },
    });
    for (let time = 0; time < 4; time += 1) {
      await expect((await fake.start({}, keyed)).events).rejects.toMatchObject({ outcome: 'unknown' });
    }
    expect(fake.calls).toHaveLength(2);
  });

  test('is gone when its disk failed, although its first client has got everything', async () => {
    const fake = await fakeGateway([{ answers: [drawn] }], { store: await openJobs() });
    fake.images.disk.writesLeft = 0;
    expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
    await expect((await fake.start({}, keyed)).events).rejects.toMatchObject(gone);
    expect(fake.calls).toHaveLength(1);
    await expect.poll(() => fake.images.openFiles.size, patience).toBe(0);
  });
});

describe('hosted images', () => {
  const hosting = { urlOf: ({ id }: { readonly id: string }) => `https://gateway.example/${id}` };

  test('have links when they are stored, and are not kept for anybody', async () => {
    const fake = await fakeGateway([{ answers: [drawn] }], { hosting });
    const reader = await fake.start({ delivery: 'url', count: 2 });
    const events = await Array.fromAsync(await reader.events);
    reader.settle('delivered');
    const links = [...fake.images.images.keys()].map((id) => `https://gateway.example/${id}`);
    expect(events.map((event) => (event.type === 'url' ? event.url : event.type))).toEqual([...links, 'done']);
    expect([...fake.images.images.values()].map(({ isKept }) => isKept)).toEqual([false, false]);
    expect(fake.images.evictable.size).toBe(0);
    await expect.poll(() => fake.images.openFiles.size, patience).toBe(0);
  });

  test('that cannot be stored are a failure, which may be billed', async () => {
    const fake = await fakeGateway([{ answers: [drawn] }], { hosting });
    fake.images.disk.failsToCommit = true;
    const reader = await fake.start({ delivery: 'url' });
    await expect(reader.events).rejects.toMatchObject({ kind: 'storage_failed', outcome: 'unknown' });
    await expect.poll(() => fake.images.openFiles.size, patience).toBe(0);
  });
});

test('nothing stays open of calls whose request has failed with another one', async () => {
  const { answer, complete } = held(failed);
  const twice: Answer = async (call, request) => (request.count === 1 ? drawn(call, request) : silent(call, request));
  const fake = await fakeGateway([{ answers: [twice, answer], maxCount: 1 }], {
    store: await openJobs(),
    model: { maxRetries: 0 },
  });
  const reader = await fake.start({ count: 2 }, keyed);
  await expect.poll(() => [fake.calls.length, fake.images.images.size], patience).toEqual([2, 1]);
  complete();
  await expect(reader.events).rejects.toMatchObject({ outcome: 'failed' });
  await expect.poll(() => fake.images.openFiles.size, patience).toBe(0);
});
