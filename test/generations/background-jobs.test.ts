import { describe, expect, test } from 'vitest';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { Job } from '../../src/domain/job-store.ts';
import type { Caller } from '../../src/generations/caller.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { claimOf } from '../storage/sql/open-job-store.ts';
import { imagesOf, patience } from './crash.ts';
import { FakeQuota } from './fake-quota.ts';
import { drawn, type FakeGateway, type FakeTarget, fakeGateway, held, openJobs, silent } from './fake-targets.ts';

const plain = { prompt: 'a cat', count: 1, stream: false, partialImages: 0, extra: {} } as unknown as ImageRequest;
const somebody: Caller = {
  id: 'somebody',
  isRetry: false,
  bodyBytes: 0,
  keeping: { isBackground: true, isRetrievable: true },
};

function startJob({ gateway }: FakeGateway, prompt = 'a cat', caller: Partial<Caller> = {}): Promise<string> {
  return gateway.startJob(undefined, { ...plain, prompt }, { ...somebody, ...caller }).then(({ id }) => id);
}

const find = ({ gateway }: FakeGateway, id: string): Promise<Job> => gateway.jobs.find('somebody', id);
const stateOf = async (fake: FakeGateway, id: string) => (await find(fake, id)).state;
const reading = { request: { stream: false, partialImages: 0 }, delivery: undefined };

type Setting = { readonly directory?: string; readonly images?: MemoryImageStore; readonly inFlight?: number };

async function process(targets: readonly FakeTarget[], { directory, images, inFlight = 100 }: Setting = {}) {
  const store = await openJobs(directory ?? (await temporaryDirectory()));
  return fakeGateway(targets, { store, inFlight, ...(images && { images }) });
}

describe('jobs that nobody waits for', () => {
  test('run in the order in which they came, one permit after the other', async () => {
    const first = held(drawn);
    const fake = await process([{ answers: [first.answer, drawn] }], { inFlight: 1 });
    const ids = [await startJob(fake, 'one'), await startJob(fake, 'two'), await startJob(fake, 'three')];
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    expect(await Promise.all(ids.map((id) => stateOf(fake, id)))).toEqual(['running', 'queued', 'queued']);
    first.complete();
    await expect
      .poll(() => Promise.all(ids.map((id) => stateOf(fake, id))), patience)
      .toEqual(['done', 'done', 'done']);
    expect(fake.records.map(({ request }) => request.prompt)).toEqual(['one', 'two', 'three']);
  });

  test('wait for the one permit of their target, longer than a request may, and hold none of the process meanwhile', async () => {
    const first = held(drawn);
    const targets = [{ answers: [first.answer, drawn], maxConcurrent: 1 }];
    const store = await openJobs(await temporaryDirectory());
    const fake = await fakeGateway(targets, { store, inFlight: 2, times: { queueMs: 50 } });
    const ids = [await startJob(fake, 'one'), await startJob(fake, 'two'), await startJob(fake, 'three')];
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    await expect(fake.start({ prompt: 'a request' }).then(imagesOf)).rejects.toMatchObject({ kind: 'overloaded' });
    expect(await Promise.all(ids.map((id) => stateOf(fake, id)))).toEqual(['running', 'queued', 'queued']);
    expect(fake.gateway.inFlight).toBe(1);
    expect(fake.gateway.jobs.cancelHere(ids[1] ?? '')).toBe(true);
    await expect.poll(() => stateOf(fake, ids[1] ?? ''), patience).toBe('cancelled');
    first.complete();
    await expect.poll(() => stateOf(fake, ids[2] ?? ''), patience).toBe('done');
    expect(fake.calls).toHaveLength(2);
  });

  test('keep no turn of a quota from others while they wait for a permit of the process', async () => {
    const quota = new FakeQuota('q', 2);
    const first = held(drawn);
    const store = await openJobs(await temporaryDirectory());
    const fake = await fakeGateway([{ answers: [first.answer, drawn], quota }], { store, inFlight: 1 });
    const request = fake.start({ prompt: 'a request' }).then(imagesOf);
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    const id = await startJob(fake);
    await expect.poll(() => quota.events.slice(2), patience).toEqual(['ask somebody 1', 'given back']);
    first.complete();
    expect(await request).toHaveLength(1);
    // With the permit it waits for its turn anew.
    await expect.poll(() => quota.waiting, patience).toBe(1);
    quota.grantNext();
    await expect.poll(() => stateOf(fake, id), patience).toBe('done');
    expect(quota.events.slice(4)).toEqual(['ask somebody 1', 'sent']);
  });

  test('are given to a retry of the request that has started them, until somebody retrieves them', async () => {
    const fake = await process([{ answers: [silent] }]);
    const first = await startJob(fake);
    expect(await startJob(fake)).not.toBe(first);
    const other = await startJob(fake, 'a dog');
    expect(await startJob(fake, 'a dog', { isRetry: true })).toBe(other);
    await fake.gateway.jobs.retrieve('somebody', other);
    expect(await startJob(fake, 'a dog', { isRetry: true })).not.toBe(other);
    expect(await startJob(fake, 'a cat', { isRetry: true, id: 'somebody else' })).not.toBe(first);
  });

  test('are no orphans, and do not make equal requests wait for them', async () => {
    const fake = await process([{ answers: [silent, drawn] }]);
    await startJob(fake);
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    expect([fake.gateway.inFlight, fake.gateway.orphans]).toEqual([1, 0]);
    expect(await imagesOf(await fake.start({}))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(2);
  });

  test('can be watched by any number of readers, whose leaving changes nothing', async () => {
    const { answer, complete } = held(drawn);
    const fake = await process([{ answers: [answer] }]);
    const id = await startJob(fake);
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    const [one, two] = [await find(fake, id), await find(fake, id)].map((job) => fake.gateway.jobs.read(job, reading));
    one?.events.catch(() => {});
    one?.leave();
    complete();
    expect(await imagesOf(two as NonNullable<typeof two>)).toEqual(['a cat 0']);
    await expect.poll(() => stateOf(fake, id), patience).toBe('done');
  });
});

describe('two processes', () => {
  async function two(targets: readonly FakeTarget[], inFlight = 100): Promise<[FakeGateway, FakeGateway]> {
    const setting = { directory: await temporaryDirectory(), images: new MemoryImageStore(), inFlight };
    return [await process(targets, setting), await process(targets, setting)];
  }

  test('show each other’s jobs, and read their images', async () => {
    const { answer, complete } = held(drawn);
    const [one, other] = await two([{ answers: [answer] }]);
    const id = await startJob(one);
    await expect.poll(() => one.calls.length, patience).toBe(1);
    expect(await stateOf(other, id)).toBe('running');
    const reader = other.gateway.jobs.read(await find(other, id), reading);
    complete();
    expect(await imagesOf(reader)).toEqual(['a cat 0']);
    expect(await stateOf(other, id)).toBe('done');
    expect(other.calls).toEqual([]);
  });

  test('cancel what waits in the other one', async () => {
    const [one, other] = await two([{ answers: [silent] }], 1);
    await startJob(one, 'one');
    const id = await startJob(one, 'two');
    await one.recover();
    await other.gateway.jobs.cancel(await find(other, id));
    expect([await stateOf(one, id), await stateOf(other, id)]).toEqual(['cancelled', 'cancelled']);
    expect(one.calls).toHaveLength(1);
  });

  test('do not cancel what is being made in the other one', async () => {
    const [one, other] = await two([{ answers: [silent] }]);
    const id = await startJob(one);
    await expect.poll(() => one.calls.length, patience).toBe(1);
    await one.recover();
    await expect(other.gateway.jobs.cancel(await find(other, id))).rejects.toMatchObject({
      kind: 'job_not_cancellable',
    });
    expect(await stateOf(one, id)).toBe('running');
  });

  test('of which one dies: the other one runs what had not begun, and calls unknown what had', async () => {
    const [one, other] = await two([{ answers: [silent, drawn] }], 1);
    const [begun, waiting] = [await startJob(one, 'one'), await startJob(one, 'two')];
    await expect.poll(() => one.calls.length, patience).toBe(1);
    await one.store.close();
    await other.recover();
    await expect.poll(() => stateOf(other, waiting), patience).not.toBe('queued');
    expect(await stateOf(other, begun)).toBe('unknown');
    expect([other.recovered.toSorted(), one.calls.length, other.calls.length]).toEqual([
      ['restarted', 'unknown'],
      1,
      1,
    ]);
  });

  test('of which one gives up its jobs: each runs once', async () => {
    const [one, other] = await two([{ answers: [silent, silent, drawn] }], 2);
    await Promise.all(['one', 'two'].map((prompt) => startJob(one, prompt)));
    await expect.poll(() => one.calls.length, patience).toBe(2);
    const waiting = await Promise.all(['three', 'four'].map((prompt) => startJob(one, prompt)));
    one.gateway.parkOrphans();
    // What comes afterwards is left to the other one, too.
    waiting.push(await startJob(one, 'five'));
    await other.recover();
    await expect.poll(() => other.recovered, patience).toEqual(['restarted', 'restarted', 'restarted']);
    await expect.poll(() => other.calls.length, patience).toBe(2);
    expect([one.calls.length, await Promise.all(waiting.map((id) => stateOf(other, id)))]).toEqual([
      2,
      ['running', 'running', 'queued'],
    ]);
  });
});

test('one consumer has at most 1,000 open jobs', async () => {
  const store = await openJobs(await temporaryDirectory());
  const background = { request: '{}', inputs: undefined, maxOpen: 1_000 };
  const claim = (consumer: string, key?: string) =>
    store.claim(claimOf({ consumer, key, isRetrievable: true, rejoinMs: 0, background }));
  const claims = await Promise.all(Array.from({ length: 1_000 }, () => claim('one')));
  expect(new Set(claims.map(({ kind }) => kind))).toEqual(new Set(['new']));
  expect(await claim('one')).toEqual({ kind: 'full' });
  expect(await claim('one', 'key')).toEqual({ kind: 'full' });
  expect(await claim('other')).toMatchObject({ kind: 'new' });
  const [first] = claims;
  if (first?.kind === 'new') await store.release(first.lease);
  // What is given up is open, too.
  expect(await claim('one')).toEqual({ kind: 'full' });
});
