import { expect, test } from 'vitest';
import type { JobEnd } from '../../src/domain/job-store.ts';
import { followJob } from '../../src/generations/follow-job.ts';

const signal = new AbortController().signal;

/** A row that shows these one after the other. */
function row(...states: (JobEnd | undefined | 'gone')[]) {
  let reads = 0;
  return {
    get reads() {
      return reads;
    },
    read: async () => {
      reads += 1;
      return states[Math.min(reads, states.length) - 1];
    },
  };
}

const done = { name: 'done', response: {} } as JobEnd;

test('a job that another process runs is read until it ends', async () => {
  const store = row(undefined, undefined, done);
  expect(await followJob('job', store, signal)).toBe(done);
  expect(store.reads).toBe(3);
});

test('one that is gone is to be asked for again', async () => {
  await expect(followJob('job', row(undefined, 'gone'), signal)).rejects.toMatchObject({
    kind: 'overloaded',
    retryAfterMs: 1_000,
  });
});

test('the wait for it ends with the signal, and no timer is left', async () => {
  const abort = new AbortController();
  const store = row(undefined);
  const following = followJob('job', store, abort.signal);
  await expect.poll(() => store.reads).toBeGreaterThan(0);
  abort.abort(new Error('gone'));
  await expect(following).rejects.toThrow('gone');
  const { reads } = store;
  await new Promise(setImmediate);
  expect(store.reads).toBe(reads);
});

test('a store that fails for a while is asked again', async () => {
  let failures = 2;
  const store = {
    async read() {
      failures -= 1;
      if (failures >= 0) throw new Error('away');
      return done;
    },
  };
  expect(await followJob('job', store, signal)).toBe(done);
});
