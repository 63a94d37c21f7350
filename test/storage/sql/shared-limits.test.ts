import { expect, test } from 'vitest';
import { SqlSharedLimits } from '../../../src/storage/sql/sql-shared-limits.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { openJobStore, runnerOf, stopped } from './open-job-store.ts';

const minute = 60_000;

/** The limits of so many processes that share a database. */
async function openLimits(processes: number): Promise<readonly SqlSharedLimits[]> {
  const directory = await temporaryDirectory();
  const stores = await Promise.all(Array.from({ length: processes }, () => openJobStore({ directory })));
  return stores.map(({ runner, owner }) => new SqlSharedLimits(runner, owner));
}

function countGranted(results: readonly { readonly isGranted: boolean }[]): number {
  return results.filter(({ isGranted }) => isGranted).length;
}

test('three processes together take no more of a window than there is', async () => {
  const limits = await openLimits(3);
  const takes = Array.from({ length: 60 }, (_, at) =>
    limits[at % 3]?.take('shop', 1, { points: 20, windowMs: minute }),
  );
  const results = await Promise.all(takes as Promise<{ isGranted: boolean }>[]);
  expect(countGranted(results)).toBe(20);
  expect(await limits[0]?.read('shop')).toMatchObject({ used: 20 });
});

test('more points than are left are not taken, and fewer still can be', async () => {
  const [limits] = (await openLimits(1)) as [SqlSharedLimits];
  const limit = { points: 5, windowMs: minute };
  expect(await limits.read('shop')).toMatchObject({ used: 0, resetMs: 0 });
  expect(await limits.take('shop', 3, limit)).toMatchObject({ isGranted: true, used: 3 });
  expect(await limits.take('shop', 3, limit)).toMatchObject({ isGranted: false, used: 3 });
  expect(await limits.take('shop', 2, limit)).toMatchObject({ isGranted: true, used: 5 });
  expect(await limits.take('other', 3, limit)).toMatchObject({ isGranted: true, used: 3 });
});

test('points go back into their own window only', async () => {
  const [limits] = (await openLimits(1)) as [SqlSharedLimits];
  const limit = { points: 5, windowMs: minute };
  const { endsAt, resetMs } = await limits.take('shop', 4, limit);
  expect(resetMs).toBeGreaterThan(minute - 10_000);
  expect(await limits.refund('shop', 4, endsAt - 1)).toMatchObject({ used: 4 });
  expect(await limits.refund('shop', 3, endsAt)).toMatchObject({ used: 1 });
  expect(await limits.refund('shop', 3, endsAt)).toMatchObject({ used: 0 });
});

test('a window that has ended is another one', async () => {
  const [limits] = (await openLimits(1)) as [SqlSharedLimits];
  const limit = { points: 1, windowMs: 50 };
  await limits.take('shop', 1, limit);
  await expect.poll(async () => (await limits.take('shop', 1, limit)).isGranted).toBe(true);
});

test('three processes together hold no more permits than there are, and one that is released is acquired again', async () => {
  const limits = await openLimits(3);
  const taken = await Promise.all(Array.from({ length: 30 }, (_, at) => limits[at % 3]?.acquire('shop', 4)));
  const free = taken.filter((release) => release !== undefined);
  expect(free).toHaveLength(4);
  free[0]?.();
  await expect.poll(async () => (await limits[1]?.acquire('shop', 4)) !== undefined).toBe(true);
  expect(await limits[2]?.acquire('shop', 4)).toBeUndefined();
  expect(await limits[2]?.acquire('other', 4)).toBeDefined();
});

test('the permits of a process that has died are free', async () => {
  const directory = await temporaryDirectory();
  const dead = await openJobStore({ directory, lease: stopped });
  const living = await openJobStore({ directory });
  const [lost, limits] = [dead, living].map(({ runner, owner }) => new SqlSharedLimits(runner, owner));
  expect(await lost?.acquire('shop', 1)).toBeDefined();
  expect(await limits?.acquire('shop', 1)).toBeUndefined();
  await living.takeOver();
  expect(await limits?.acquire('shop', 1)).toBeDefined();
});

test('a permit is released that may have been acquired although the response was lost', async () => {
  const { runner, owner } = await openJobStore();
  const lost = runnerOf(async (name, ...values) => {
    const result = await runner.run(name, ...values);
    if (name === 'acquirePermit') throw new Error('the connection has broken');
    return result;
  });
  await expect(new SqlSharedLimits(lost, owner).acquire('shop', 1)).rejects.toMatchObject({
    kind: 'store_unavailable',
  });
  const limits = new SqlSharedLimits(runner, owner);
  await expect.poll(async () => (await limits.acquire('shop', 1)) !== undefined).toBe(true);
});
