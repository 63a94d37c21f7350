import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { JobLease } from '../../src/domain/job-store.ts';
import { createKeptInputs } from '../../src/storage/kept-input-directory.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { editOf, readInput } from '../storage/objects/kept-edit.ts';
import { imagesOf, keyed, patience, withSteps } from './crash.ts';
import {
  drawn,
  type FakeGateway,
  type FakeTarget,
  failed,
  fakeGateway,
  held,
  openJobs,
  refused,
} from './fake-targets.ts';

/** Two processes on one directory. */
async function twoProcesses(targets: readonly FakeTarget[]): Promise<[FakeGateway, FakeGateway]> {
  const directory = await temporaryDirectory();
  const images = new MemoryImageStore();
  const model = { maxRetries: 0 };
  const start = async () => fakeGateway(targets, { store: await openJobs(directory), images, model });
  return [await start(), await start()];
}

const paid = (...fakes: readonly FakeGateway[]) => fakes.reduce((sum, { calls }) => sum + calls.length, 0);

describe('two processes that share their jobs', () => {
  test('buy once for one key, and both give the images', async () => {
    const { answer, complete } = held(drawn);
    const [one, other] = await twoProcesses([{ answers: [answer] }]);
    const first = await one.start({}, keyed);
    await expect.poll(() => one.calls.length, patience).toBe(1);
    const second = await other.start({}, keyed);
    expect([first.report.keyedAs, second.report.keyedAs]).toEqual(['first', 'joined']);
    expect(second.report.id).toBe(first.report.id);
    complete();
    expect(await Promise.all([imagesOf(first), imagesOf(second)])).toEqual([['a cat 0'], ['a cat 0']]);
    expect(await imagesOf(await other.start({}, keyed))).toEqual(['a cat 0']);
    expect([paid(one, other), other.retries]).toEqual([1, ['joined', 'replayed']]);
  });

  test('that race for many keys buy once for each', async () => {
    const [one, other] = await twoProcesses([{ answers: [drawn] }]);
    const keys = Array.from({ length: 25 }, (_, index) => ({ idempotencyKey: `key ${index}` }));
    const asked = keys.flatMap((caller) => [one, other, one].map((fake) => fake.start({}, caller).then(imagesOf)));
    expect(await Promise.all(asked)).toEqual(Array(75).fill(['a cat 0']));
    expect(paid(one, other)).toBe(25);
  });

  test.each([
    ['fails: both are told so, and the next one runs', failed, 2],
    ['is refused: all are told so', refused, 1],
  ])('and whose request %s', async (_, then, bought) => {
    const { answer, complete } = held(then);
    const [one, other] = await twoProcesses([{ answers: [answer, then] }]);
    const first = await one.start({}, keyed);
    await expect.poll(() => one.calls.length, patience).toBe(1);
    const second = await other.start({}, keyed);
    complete();
    const failures = await Promise.all([first, second].map(({ events }) => events.catch(({ kind }) => kind)));
    expect(new Set(failures).size).toBe(1);
    await (await other.start({}, keyed)).events.catch(() => {});
    expect(paid(one, other)).toBe(bought);
  });

  test('give a client without a key, whose retry reaches the other one, what it has left', async () => {
    const { answer, complete } = held(drawn);
    const [one, other] = await twoProcesses([{ answers: [answer] }]);
    const first = await one.start();
    await expect.poll(() => one.calls.length, patience).toBe(1);
    first.leave();
    // It is marked before the next operation of its process.
    await one.store.figures();
    const retry = await other.start({}, { isRetry: true });
    complete();
    expect(await imagesOf(retry)).toEqual(['a cat 0']);
    expect([paid(one, other), other.retries]).toEqual([1, ['rejoined']]);
  });

  test('tell a client that has less time that its request goes on', async () => {
    const { answer, complete } = held(drawn);
    const [one, other] = await twoProcesses([{ answers: [answer] }]);
    const first = await one.start({}, keyed);
    await expect.poll(() => one.calls.length, patience).toBe(1);
    const second = await other.start({}, { ...keyed, timeoutMs: 20 });
    await expect(second.events).rejects.toMatchObject({ kind: 'idempotency_in_flight' });
    complete();
    expect(await imagesOf(first)).toEqual(['a cat 0']);
  });
});

describe('a process that is taken for dead and is not', () => {
  /** Its lease is known, and it stands still before or after its dispatch. */
  async function frozen(when: 'before its dispatch' | 'after it was sent') {
    const directory = await temporaryDirectory();
    const images = new MemoryImageStore();
    const jobs = await openJobs(directory);
    const thaw = Promise.withResolvers<void>();
    let lease: JobLease | undefined;
    const store = withSteps(jobs, {
      async dispatch(own, ...values) {
        lease = own;
        if (when === 'before its dispatch') await thaw.promise;
        await jobs.dispatch(own, ...values);
      },
    });
    const { answer, complete } = held(drawn);
    const one = await fakeGateway([{ answers: [when === 'before its dispatch' ? drawn : answer] }], { store, images });
    const first = await one.start({}, keyed);
    first.events.catch(() => {});
    await expect.poll(() => lease && (when === 'before its dispatch' || one.calls.length > 0), patience).toBe(true);
    await jobs.release(lease as JobLease);
    const other = await fakeGateway([{ answers: [drawn] }], { store: await openJobs(directory), images });
    await other.recover();
    const goOn = () => {
      thaw.resolve();
      complete();
    };
    return { one, first, other, goOn };
  }

  test('before its dispatch sends nothing any more: the other one buys', async () => {
    const { one, first, other, goOn } = await frozen('before its dispatch');
    expect(await imagesOf(await other.start({}, keyed))).toEqual(['a cat 0']);
    goOn();
    await expect(first.events).rejects.toMatchObject({ kind: 'store_unavailable', outcome: 'not-processed' });
    expect([one.calls.length, other.calls.length]).toEqual([0, 1]);
    expect(await imagesOf(await other.start({}, keyed))).toEqual(['a cat 0']);
  });

  test('after it was sent heals what the other one calls unknown', async () => {
    const { one, first, other, goOn } = await frozen('after it was sent');
    await expect((await other.start({}, keyed)).events).rejects.toMatchObject({ outcome: 'unknown' });
    goOn();
    expect(await imagesOf(first)).toEqual(['a cat 0']);
    expect(await imagesOf(await other.start({}, keyed))).toEqual(['a cat 0']);
    expect(paid(one, other)).toBe(1);
  });

  describe('leaves the inputs of a job in the background, which waits in the other one by then,', () => {
    /** The job of the first process was given up without its knowledge, and waits in the other one. */
    async function takenOver(when: 'while it waits' | 'before its dispatch') {
      const directory = await temporaryDirectory();
      const facts = { images: new MemoryImageStore(), keptInputs: createKeptInputs(join(directory, 'inputs')) };
      const jobs = await openJobs(directory);
      const thaw = Promise.withResolvers<void>();
      const refused = Promise.withResolvers<void>();
      let isThere = false;
      const store = withSteps(jobs, {
        async dispatch(...values) {
          isThere = true;
          await thaw.promise;
          await jobs.dispatch(...values);
        },
        async finish(...values) {
          await jobs.finish(...values).catch((error) => {
            refused.resolve();
            throw error;
          });
        },
      });
      const one = await fakeGateway([{ answers: [drawn], ...(when === 'while it waits' && { maxConcurrent: 0 }) }], {
        ...facts,
        store,
      });
      const edit = editOf([Buffer.from('an input')]);
      const asked = { prompt: 'a cat', count: 1, stream: false, partialImages: 0, extra: {}, edit };
      const keeping = { isBackground: true, isRetrievable: true };
      const caller = { id: 'somebody', isRetry: false, bodyBytes: 0, keeping };
      const { id } = await one.gateway.startJob(undefined, asked as unknown as ImageRequest, caller);
      if (when === 'before its dispatch') await expect.poll(() => isThere, patience).toBe(true);
      await jobs.release({ job: id, epoch: 1 });
      const others = await openJobs(directory);
      const [taken] = await others.takeOver();
      const read = async () => String(await readInput(facts.keptInputs.open(taken?.inputs), edit.images[0]));
      return { one, id, thaw, refused, read };
    }

    test.each(['while it waits', 'before its dispatch'] as const)('when it has stood still %s', async (when) => {
      const { one, id, thaw, refused, read } = await takenOver(when);
      if (when === 'while it waits') expect(one.gateway.jobs.cancelHere(id)).toBe(true);
      else thaw.resolve();
      await refused.promise;
      // Nothing says that something is not removed any more.
      await setTimeout(200);
      expect(await read()).toBe('an input');
    });
  });
});
