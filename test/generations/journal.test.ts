import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { JobAttempt, JobEnd, JobLease, JobStore } from '../../src/domain/job-store.ts';
import { Journal } from '../../src/generations/journal.ts';
import type { UpstreamCall } from '../../src/generations/upstream-call.ts';

const lease = { job: 'job', epoch: 1 };
const patience = { timeout: 20_000 };
const end = { name: 'failed', failure: {} } as JobEnd;
const away = () => new GatewayError('store_unavailable', 'away', { outcome: 'not-processed' });

type Written = { readonly kind: string; readonly attempts: readonly JobAttempt[]; readonly isRepeated?: boolean };

/** A store that notes what is written, and fails so often to record an end. */
function fakeStore(failures = 0) {
  const written: Written[] = [];
  const ends: JobLease[] = [];
  let left = failures;
  const store = {
    async dispatch(_lease: JobLease, attempts: readonly JobAttempt[], isRepeated: boolean) {
      written.push({ kind: 'dispatch', attempts, isRepeated });
    },
    async note(_lease: JobLease, attempts: readonly JobAttempt[]) {
      written.push({ kind: 'note', attempts });
    },
    async finish(finished: JobLease) {
      ends.push(finished);
      left -= 1;
      if (left >= 0) throw away();
    },
  } as unknown as JobStore;
  return { store, written, ends };
}

function call(leg: number, facts: object = {}): UpstreamCall {
  const request = { prompt: 'a secret', count: 1, size: '1x1', quality: undefined };
  return {
    leg,
    target: { name: `target ${leg}` },
    attempt: {},
    imageIds: [`image ${leg}`],
    request,
    ...facts,
  } as never;
}

const attempt = (leg: number, facts: object = {}) => ({
  leg,
  target: `target ${leg}`,
  state: 'dispatched',
  images: [`image ${leg}`],
  asked: { size: '1x1' },
  ...facts,
});

const parts = {
  lease,
  isKeyed: true,
  isRetrievable: true,
  isRepeat: false,
  makeRoom: async () => {},
  settle: async () => {},
};

describe('a journal', () => {
  test('writes all attempts of the job, as plain data and without the prompt, each time', async () => {
    const { store, written } = fakeStore();
    const journal = new Journal({ ...parts, store }, undefined);
    const first = call(0);
    await journal.dispatch(first);
    Object.assign(first, { failure: 'failed', attempt: { upstreamRequestId: 'id' } });
    const second = call(1);
    await journal.dispatch(second);
    Object.assign(second, { handle: '/operations/1' });
    await journal.note();
    const over = attempt(0, { state: 'failed', upstreamRequestId: 'id' });
    expect(written).toEqual([
      { kind: 'dispatch', attempts: [attempt(0)], isRepeated: false },
      { kind: 'dispatch', attempts: [over, attempt(1)], isRepeated: false },
      { kind: 'note', attempts: [over, attempt(1, { handle: '/operations/1' })] },
    ]);
    expect(JSON.stringify(written)).not.toContain('secret');
    expect(JSON.parse(JSON.stringify(written))).toEqual(written);
  });

  test('writes a call once that is dispatched again because its token had to be replaced', async () => {
    const { store, written } = fakeStore();
    const journal = new Journal({ ...parts, store }, undefined);
    const same = call(0);
    await journal.dispatch(same);
    await journal.dispatch(same);
    expect(written.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
  });

  test('keeps the attempts of an earlier owner', async () => {
    const { store, written } = fakeStore();
    const journal = new Journal({ ...parts, store }, [attempt(0) as JobAttempt]);
    await journal.dispatch(call(1));
    expect(written[0]?.attempts).toEqual([attempt(0), attempt(1)]);
  });

  test.each([
    ['truncated', 'unknown'],
    ['abandoned', 'unknown'],
    ['unknown', 'unknown'],
    ['delivered', 'dispatched'],
    ['not-processed', 'not-processed'],
    ['refused', 'refused'],
  ])('writes a call that is %s as %s', async (failure, state) => {
    const { store, written } = fakeStore();
    await new Journal({ ...parts, store }, undefined).dispatch(call(0, { failure }));
    expect(written[0]?.attempts).toMatchObject([{ state }]);
  });

  test('says that a call is repeated after one that may be billed, and in a job that repeats such a one', async () => {
    const { store, written } = fakeStore();
    const journal = new Journal({ ...parts, store }, undefined);
    const first = call(0);
    await journal.dispatch(first);
    Object.assign(first, { failure: 'unknown' });
    await journal.dispatch(call(0));
    await new Journal({ ...parts, store, isRepeat: true }, undefined).dispatch(call(0));
    expect(written.map(({ isRepeated }) => isRepeated)).toEqual([false, true, true]);
  });

  test('dispatches nothing for whose images there is no room', async () => {
    const { store, written } = fakeStore();
    const makeRoom = () => Promise.reject(new GatewayError('storage_full', 'full', { outcome: 'not-processed' }));
    const dispatched = new Journal({ ...parts, store, makeRoom }, undefined).dispatch(call(0));
    await expect(dispatched).rejects.toMatchObject({ kind: 'storage_full' });
    expect(written).toEqual([]);
  });

  test('records the end once its cost is counted, where the store does not keep their order', async () => {
    const { store, ends } = fakeStore();
    const counted = Promise.withResolvers<void>();
    const journal = new Journal({ ...parts, store, settle: () => counted.promise }, undefined);
    const recorded = journal.end(() => end);
    await new Promise(setImmediate);
    expect(ends).toEqual([]);
    counted.resolve();
    await recorded;
    expect(ends).toEqual([lease]);
  });

  test('records the end in the same moment where the store keeps the order', async () => {
    const { store, ends } = fakeStore();
    const ordered = { ...store, keepsOrder: true };
    void new Journal({ ...parts, store: ordered, settle: () => new Promise(() => {}) }, undefined).end(() => end);
    expect(ends).toEqual([lease]);
  });

  test('records the end also where its cost cannot be counted now', async () => {
    const { store, ends } = fakeStore();
    const journal = new Journal({ ...parts, store, settle: () => Promise.reject(away()) }, undefined);
    await journal.end(() => end);
    expect(ends).toEqual([lease]);
  });

  test('records the end once where that succeeds', async () => {
    const { store, ends } = fakeStore();
    const journal = new Journal({ ...parts, store }, undefined);
    await journal.end(() => end);
    await journal.finished;
    expect(ends).toEqual([lease]);
  });

  test('holds nobody up with an end that cannot be recorded, and records it later', async () => {
    const { store, ends } = fakeStore(1);
    const journal = new Journal({ ...parts, store }, undefined);
    await journal.end(() => end);
    expect(ends).toHaveLength(1);
    let isFinished = false;
    void journal.finished.then(() => {
      isFinished = true;
    });
    await new Promise(setImmediate);
    expect(isFinished).toBe(false);
    await expect.poll(() => isFinished, patience).toBe(true);
    expect(ends).toEqual([lease, lease]);
  });
});
