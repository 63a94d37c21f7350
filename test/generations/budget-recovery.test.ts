import { describe, expect, test } from 'vitest';
import { type Budget, periodAt } from '../../src/domain/budget.ts';
import type { Ledger } from '../../src/domain/ledger.ts';
import { Accounts } from '../../src/generations/accounts.ts';
import { SqlLedger } from '../../src/storage/sql/sql-ledger.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { hangs, imagesOf, keyed, patience, withSteps } from './crash.ts';
import { type Answer, accepting, drawn, type FakeTarget, fakeGateway, openJobs, silent } from './fake-targets.ts';

const budget: Budget = { amount: 100, currency: 'USD', per: 'month', soft: undefined, maxImageCost: 10 };

/** A process in a directory, whose consumers have a budget. */
async function processIn(directory: string, targets: readonly FakeTarget[], hold?: 'dispatch' | 'settle') {
  const jobs = await openJobs(directory);
  const ledger = new SqlLedger(jobs.runner, jobs.owner);
  const accounts = new Accounts({
    ledger: hold === 'settle' ? holding(ledger) : ledger,
    recorder: { budgetUsed() {} },
    now: Date.now,
    currency: () => 'USD',
    budgetOf: () => budget,
  });
  const store = hold === 'dispatch' ? withSteps(jobs, { dispatch: hangs }) : jobs;
  return { jobs, ledger, fake: await fakeGateway(targets, { store, accounts, images: new MemoryImageStore() }) };
}

/** A ledger whose settlements never come to an end. */
function holding(ledger: Ledger): Ledger {
  return {
    reserve: (...values) => ledger.reserve(...values),
    used: (of) => ledger.used(of),
    spend: (query) => ledger.spend(query),
    takeOver: (currency) => ledger.takeOver(currency),
    settle: hangs,
  };
}

async function used({ ledger }: { readonly ledger: Ledger }): Promise<number | undefined> {
  return (await ledger.used([{ consumer: 'somebody', period: periodAt('month', Date.now()) }]))[0];
}

const spent = ({ ledger }: { readonly ledger: Ledger }) =>
  ledger.spend({ from: '2000-01-01', to: '2999-12-31', by: ['target'], consumer: undefined });

const noted: Answer = accepting('/operations/1', silent);

describe('what a process has reserved that dies', () => {
  test('before it dispatches is given back', async () => {
    const directory = await temporaryDirectory();
    const { jobs, ledger, fake } = await processIn(directory, [{ answers: [drawn] }], 'dispatch');
    (await fake.start({}, keyed)).events.catch(() => {});
    await expect.poll(() => used({ ledger }), patience).toBe(10);
    await jobs.close();
    const next = await processIn(directory, [{ answers: [drawn] }]);
    await next.fake.recover();
    await expect.poll(() => used(next), patience).toBe(0);
    expect(await spent(next)).toEqual([]);
  });

  test('with a call whose outcome nobody knows counts as spent', async () => {
    const directory = await temporaryDirectory();
    const { jobs, fake } = await processIn(directory, [{ answers: [silent] }]);
    (await fake.start({ count: 2 }, keyed)).events.catch(() => {});
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    await jobs.close();
    const next = await processIn(directory, [{ answers: [drawn] }]);
    await next.fake.recover();
    await expect
      .poll(() => spent(next), patience)
      .toMatchObject([{ target: 'a', calls: 1, unknownOutcomes: 1, assumedCost: 20, cost: 0 }]);
    expect(await used(next)).toBe(20);
  });

  test('with accepted work is settled by whoever follows that', async () => {
    const directory = await temporaryDirectory();
    const { jobs, ledger, fake } = await processIn(directory, [{ answers: [noted] }]);
    const reader = await fake.start({}, keyed);
    reader.events.catch(() => {});
    const handle = async () => (await jobs.records.find('somebody', reader.report.id))?.state;
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    await expect.poll(handle, patience).toBe('running');
    await ledger.used([]);
    await jobs.close();
    const next = await processIn(directory, [{ answers: [drawn], resumes: [drawn] }]);
    await next.fake.recover();
    await imagesOf(await next.fake.start({}, keyed)).catch(() => {});
    await expect.poll(() => spent(next), patience).toMatchObject([{ calls: 1, assumedCost: 10 }]);
    expect(await used(next)).toBe(10);
  });

  test('and could not settle what had ended counts once', async () => {
    const directory = await temporaryDirectory();
    const { jobs, fake } = await processIn(directory, [{ answers: [drawn] }], 'settle');
    const reader = await fake.start({}, keyed);
    reader.events.catch(() => {});
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    await jobs.close();
    const next = await processIn(directory, [{ answers: [drawn] }]);
    await next.fake.recover();
    await expect.poll(() => spent(next), patience).toMatchObject([{ calls: 1, assumedCost: 10 }]);
    expect(await used(next)).toBe(10);
  });

  test('of a job that waits goes on with the job', async () => {
    const directory = await temporaryDirectory();
    const { jobs, ledger, fake } = await processIn(directory, [{ answers: [silent], maxConcurrent: 1 }]);
    const request = { prompt: 'a cat', count: 1, stream: false, partialImages: 0, extra: {} } as never;
    const caller = { id: 'somebody', isRetry: false, bodyBytes: 0 };
    const keeping = { isBackground: true, isRetrievable: true };
    await fake.gateway.startJob(undefined, request, { ...caller, keeping });
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    await fake.gateway.startJob(undefined, request, { ...caller, keeping });
    expect(await used({ ledger })).toBe(20);
    fake.gateway.parkOrphans();
    await fake.gateway.jobs.list({
      consumer: 'somebody',
      states: undefined,
      model: undefined,
      order: 'asc',
      after: undefined,
      limit: 9,
    });
    await jobs.close();
    const next = await processIn(directory, [{ answers: [drawn] }]);
    await next.fake.recover();
    await expect.poll(() => next.fake.calls.length, patience).toBe(1);
    await expect.poll(async () => (await spent(next))[0]?.calls, patience).toBe(2);
    expect(await spent(next)).toMatchObject([{ images: 1, assumedCost: 20, unknownOutcomes: 1, unpriced: 1 }]);
    expect(await used(next)).toBe(20);
  });
});
