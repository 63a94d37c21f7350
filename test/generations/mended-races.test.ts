import { describe, expect, test } from 'vitest';
import type { JobLease } from '../../src/domain/job-store.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { imagesOf, keyed, patience, withSteps } from './crash.ts';
import { accepting, drawn, fakeGateway, held, openJobs, silent } from './fake-targets.ts';

const retry = { isRetry: true };

/** A generation without a key that has ended in the store, because its client had left. */
async function leftBehind() {
  const images = new MemoryImageStore();
  const jobs = await openJobs(await temporaryDirectory());
  const { answer, complete } = held(drawn);
  const fake = await fakeGateway([{ answers: [answer, drawn] }], { store: jobs, images });
  const first = await fake.start();
  await expect.poll(() => fake.calls.length, patience).toBe(1);
  first.leave();
  complete();
  await expect.poll(() => jobs.read(first.report.id), patience).toMatchObject({ name: 'done' });
  await expect.poll(() => fake.inFlight.find(first.report.id), patience).toBeUndefined();
  return { fake, images };
}

describe('what a client without a key has left', () => {
  test('is still there for its next retry when it could not be read once', async () => {
    const { fake, images } = await leftBehind();
    const open = images.open.bind(images);
    images.open = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
    const unread = await fake.start({}, retry);
    await expect(unread.events).rejects.toThrow('EIO');
    images.open = open;
    expect(await imagesOf(await fake.start({}, retry))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(1);
  });

  test('is found although that it has left could not be written', async () => {
    const jobs = await openJobs(await temporaryDirectory());
    let failures = 1;
    const store = withSteps(jobs, {
      async orphan(lease) {
        failures -= 1;
        if (failures < 0) return jobs.orphan(lease);
        // The store knows of it, and only its row does not.
        void jobs.orphan({ ...lease, epoch: -1 }).catch(() => {});
        throw new Error('the disk does not respond');
      },
    });
    const { answer, complete } = held(drawn);
    const fake = await fakeGateway([{ answers: [answer, drawn] }], { store });
    const first = await fake.start();
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    first.leave();
    complete();
    await expect.poll(() => fake.gateway.inFlight, patience).toBe(0);
    expect(await imagesOf(await fake.start({}, retry))).toEqual(['a cat 0']);
    expect(fake.calls).toHaveLength(1);
  });
});

test('a client that joins a request just when that is cancelled is to ask again', async () => {
  const jobs = await openJobs(await temporaryDirectory());
  const claimed = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  let claims = 0;
  const store = withSteps(jobs, {
    async claim(claim) {
      const found = await jobs.claim(claim);
      claims += 1;
      if (claims === 2) {
        claimed.resolve();
        await left.promise;
      }
      return found;
    },
  });
  const images = new MemoryImageStore();
  images.makeRoom = () => new Promise(() => {});
  const fake = await fakeGateway([{ answers: [drawn] }], { store, images });
  const first = await fake.start({}, keyed);
  const joining = fake.start({}, keyed);
  await claimed.promise;
  first.leave();
  left.resolve();
  await expect((await joining).events).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 1_000 });
});

test('a process that was taken for dead goes on with its own jobs when it takes them over itself', async () => {
  const jobs = await openJobs(await temporaryDirectory());
  let lease: JobLease | undefined;
  const store = withSteps(jobs, {
    dispatch(own, ...values) {
      lease = own;
      return jobs.dispatch(own, ...values);
    },
  });
  const { answer, complete } = held(drawn);
  const fake = await fakeGateway([{ answers: [answer] }], { store });
  const first = await fake.start({}, keyed);
  await expect.poll(() => fake.calls.length, patience).toBe(1);
  await jobs.release(lease as JobLease);
  await fake.recover();
  complete();
  expect(await imagesOf(first)).toEqual(['a cat 0']);
  expect(await imagesOf(await fake.start({}, keyed))).toEqual(['a cat 0']);
  expect(fake.calls).toHaveLength(1);
});

test('a process that ends does not take back what it has left to the next one', async () => {
  const jobs = await openJobs(await temporaryDirectory());
  const fake = await fakeGateway([{ answers: [accepting('/operations/1', silent)], resumes: [silent] }], {
    store: jobs,
  });
  const reader = await fake.start({}, keyed);
  await expect.poll(() => fake.calls.length, patience).toBe(1);
  await expect.poll(() => fake.inFlight.find(reader.report.id)?.isParkable, patience).toBe(true);
  reader.leave();
  fake.gateway.parkOrphans();
  await expect.poll(() => fake.inFlight.find(reader.report.id), patience).toBeUndefined();
  await fake.recover();
  expect(fake.gateway.inFlight).toBe(0);
});
