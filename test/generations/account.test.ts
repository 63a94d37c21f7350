import { describe, expect, test } from 'vitest';
import type { Budget } from '../../src/domain/budget.ts';
import { imagesOf, keyed, patience } from './crash.ts';
import { fakeAccounts } from './fake-accounts.ts';
import { drawn, failed, fakeGateway, held, unknown } from './fake-targets.ts';

const budget: Budget = { amount: 100, currency: 'USD', per: 'day', soft: undefined, maxImageCost: 10 };
const retries = { model: { maxRetries: 2, onUnknownOutcome: 'retry' } } as const;

const settledCalls = ({ settled }: ReturnType<typeof fakeAccounts>) => settled.flatMap(({ calls }) => calls);

describe('the money of a generation', () => {
  test('is reserved before anything is sent, and settled once', async () => {
    const fakes = fakeAccounts({ budget });
    const { answer, complete } = held(drawn);
    const fake = await fakeGateway([{ answers: [answer] }], { accounts: fakes.accounts });
    const reader = await fake.start({ count: 2 });
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    expect(fakes.reserved).toMatchObject([{ consumer: 'somebody', amount: 20, each: 10, job: reader.report.id }]);
    expect(fakes.settled).toEqual([]);
    complete();
    await imagesOf(reader);
    await expect
      .poll(() => fakes.settled, patience)
      .toMatchObject([
        {
          reservation: { id: fakes.reserved[0]?.id },
          model: 'image',
          isPart: false,
          calls: [{ target: 'a', images: 2, asked: 2 }],
        },
      ]);
  });

  test('that is not left sends nothing, and gives everything else back', async () => {
    const fakes = fakeAccounts({ budget, left: 9 });
    const fake = await fakeGateway([{ answers: [drawn] }], { accounts: fakes.accounts });
    const reader = await fake.start();
    await expect(reader.events).rejects.toMatchObject({ kind: 'budget_exceeded', outcome: undefined });
    expect(fake.calls).toEqual([]);
    expect(fake.gateway.admission.heldBytes).toBe(0);
    await new Promise(setImmediate);
    // There is nothing to give back.
    expect(fakes.settled).toEqual([]);
  });

  test('of a job without a client is refused at its start', async () => {
    const fakes = fakeAccounts({ budget, left: 9 });
    const fake = await fakeGateway([{ answers: [drawn] }], { accounts: fakes.accounts });
    const background = { keeping: { isBackground: true, isRetrievable: true } };
    const request = { prompt: 'a cat', count: 1, stream: false, partialImages: 0, extra: {} } as never;
    const caller = { id: 'somebody', isRetry: false, bodyBytes: 0, ...background };
    await expect(fake.gateway.startJob(undefined, request, caller)).rejects.toMatchObject({ kind: 'budget_exceeded' });
    expect(fake.calls).toEqual([]);
    expect(fakes.settled).toEqual([]);
  });

  test('is not reserved again for a retry after a failure that made nothing', async () => {
    const fakes = fakeAccounts({ budget, left: 10 });
    const fake = await fakeGateway([{ answers: [failed, drawn] }], { accounts: fakes.accounts, ...retries });
    await imagesOf(await fake.start());
    expect([fake.calls.length, fakes.reserved.length]).toEqual([2, 1]);
    await expect
      .poll(() => settledCalls(fakes), patience)
      .toMatchObject([{ cost: 0 }, { cost: undefined, isUnknown: false }]);
  });

  test('is reserved again for the repetition of a call that may have been billed', async () => {
    const fakes = fakeAccounts({ budget, left: 20 });
    const fake = await fakeGateway([{ answers: [unknown, drawn] }], { accounts: fakes.accounts, ...retries });
    await imagesOf(await fake.start());
    expect([fake.calls.length, fakes.reserved.length]).toEqual([2, 2]);
    expect(new Set(fakes.reserved.map(({ id }) => id)).size).toBe(1);
    await expect.poll(() => settledCalls(fakes), patience).toMatchObject([{ isUnknown: true }, { isUnknown: false }]);
  });

  test('that is not left for a repetition ends the request with the unknown outcome', async () => {
    const fakes = fakeAccounts({ budget, left: 10 });
    const fake = await fakeGateway([{ answers: [unknown, drawn] }], { accounts: fakes.accounts, ...retries });
    await expect((await fake.start()).events).rejects.toMatchObject({ outcome: 'unknown' });
    expect(fake.calls).toHaveLength(1);
  });

  test('is settled again until the ledger takes that', async () => {
    const fakes = fakeAccounts({ budget, failures: 1 });
    const fake = await fakeGateway([{ answers: [drawn] }], { accounts: fakes.accounts });
    const reader = await fake.start({}, keyed);
    await imagesOf(reader);
    expect(await fake.store.read(reader.report.id)).toMatchObject({ name: 'done' });
    await expect.poll(() => fakes.settled.length, patience).toBe(1);
    expect(settledCalls(fakes)).toMatchObject([{ images: 1 }]);
  });

  test('is not asked for where a client joins what runs, or has it again', async () => {
    const fakes = fakeAccounts({ budget });
    const fake = await fakeGateway([{ answers: [drawn] }], { accounts: fakes.accounts });
    await Promise.all([fake.start({}, keyed), fake.start({}, keyed)].map((reader) => reader.then(imagesOf)));
    await imagesOf(await fake.start({}, keyed));
    expect([fake.calls.length, fakes.reserved.length]).toEqual([1, 1]);
  });
});
