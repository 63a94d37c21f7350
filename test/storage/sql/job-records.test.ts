import { describe, expect, test } from 'vitest';
import type { JobClaim, JobEnd, JobLease } from '../../../src/domain/job-store.ts';
import { claimOf, openJobStore } from './open-job-store.ts';

const report = { model: 'poster', target: 't', provider: 'p', asked: {}, adaptations: [], attempts: 1, sent: true };
const done: JobEnd = {
  name: 'done',
  response: { report: { ...report, maxRetries: 1, timeoutMs: 1_000 }, delivery: 'url', events: [] },
};
const attempt = { leg: 0, target: 't', state: 'dispatched', images: ['one', 'two'], asked: {} } as const;
const background = { request: '{}', inputs: 'inputs', maxOpen: 10 };

async function openRecords() {
  const store = await openJobStore();
  const claim = async (changes: Partial<JobClaim> = {}): Promise<JobLease> => {
    const claimed = await store.claim(claimOf({ key: undefined, isRetrievable: true, rejoinMs: 0, ...changes }));
    if (claimed.kind !== 'new') throw new Error(claimed.kind);
    return claimed.lease;
  };
  return { store, records: store.records, claim };
}

describe('a job that can be retrieved', () => {
  test('is found by its own consumer, as far as it has come', async () => {
    const { store, records, claim } = await openRecords();
    const lease = await claim({ background, view: 'view' });
    const queued = await records.find('one', lease.job);
    expect(queued).toMatchObject({
      state: 'queued',
      isBackground: true,
      view: 'view',
      model: 'poster',
      end: undefined,
    });
    expect(await records.find('other', lease.job)).toBeUndefined();
    await store.dispatch(lease, [attempt], false);
    expect(await records.find('one', lease.job)).toMatchObject({ state: 'running' });
    await store.finish(lease, done);
    expect(await records.find('one', lease.job)).toMatchObject({ state: 'done', end: done });
  });

  test('is no other: those without a key are their clients’ alone', async () => {
    const { store, records, claim } = await openRecords();
    const lease = await claim({ isRetrievable: false });
    await store.dispatch(lease, [attempt], false);
    expect(await records.find('one', lease.job)).toBeUndefined();
    expect(await records.list(query())).toEqual([]);
  });

  test('is removed once it has ended, by its own consumer, and tells which images it had', async () => {
    const { store, records, claim } = await openRecords();
    const lease = await claim();
    await store.dispatch(lease, [attempt], false);
    expect(await records.remove('one', lease.job)).toBeUndefined();
    await store.finish(lease, done);
    expect(await records.remove('other', lease.job)).toBeUndefined();
    expect(await records.remove('one', lease.job)).toEqual(['one', 'two']);
    expect(await records.remove('one', lease.job)).toBeUndefined();
  });

  test('has its key', async () => {
    const { records, claim } = await openRecords();
    const { job } = await claim({ key: 'key' });
    expect(await records.findByKey('one', 'generate', 'key')).toMatchObject({ id: job });
    for (const [consumer, operation, key] of [
      ['other', 'generate', 'key'],
      ['one', 'edit', 'key'],
      ['one', 'generate', 'other'],
    ] as const) {
      expect(await records.findByKey(consumer, operation, key)).toBeUndefined();
    }
  });

  test('tells its inputs until it has ended, and asks its process to cancel it once', async () => {
    const { store, records, claim } = await openRecords();
    const lease = await claim({ background });
    expect(await records.inputsInUse()).toEqual(['inputs']);
    await records.requestCancel(lease.job);
    expect([await records.cancelRequests(), await records.cancelRequests()]).toEqual([[lease.job], []]);
    await store.finish(lease, done);
    expect(await records.inputsInUse()).toEqual([]);
  });
});

describe('the list', () => {
  test('goes through all jobs of a consumer, page by page, also where several began in the same moment', async () => {
    const { records, claim } = await openRecords();
    const jobs = (await Promise.all(Array.from({ length: 7 }, () => claim()))).map(({ job }) => job);
    await claim({ consumer: 'other' });
    for (const order of ['asc', 'desc'] as const) {
      const seen: string[] = [];
      for (let after: string | undefined; ; after = seen.at(-1)) {
        const page = await records.list({ ...query(), order, after, limit: 3 });
        seen.push(...page.map(({ id }) => id));
        if (page.length < 3) break;
      }
      expect(seen.toSorted()).toEqual(jobs.toSorted());
    }
  });

  test('may be of some states and of one model only', async () => {
    const { store, records, claim } = await openRecords();
    const [one, two] = [await claim(), await claim({ model: 'other' })];
    await store.dispatch(one, [attempt], false);
    const ids = async (filter: object) => (await records.list({ ...query(), ...filter })).map(({ id }) => id);
    expect(await ids({ states: ['running'] })).toEqual([one.job]);
    expect(await ids({ states: ['queued', 'done'] })).toEqual([two.job]);
    expect(await ids({ model: 'other' })).toEqual([two.job]);
    expect(await ids({ model: 'other', states: ['running'] })).toEqual([]);
  });
});

function query() {
  return { consumer: 'one', states: undefined, model: undefined, order: 'desc', after: undefined, limit: 100 } as const;
}
