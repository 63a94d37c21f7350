import { describe, expect, test } from 'vitest';
import type { QuotaPool } from '../../../src/domain/quota-pools.ts';
import { OperationFailure } from '../../../src/storage/sql/operation-failure.ts';
import type { OperationRunner } from '../../../src/storage/sql/operations.ts';
import { SqlQuotaPools } from '../../../src/storage/sql/sql-quota-pools.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { openJobStore, runnerOf } from './open-job-store.ts';

const never = new AbortController().signal;
const times = { windowMs: 60_000, marginMs: 0, pollMs: 10, maxBlockMs: 10_000, maxAwayMs: 30_000 };
const need = { consumer: 'shop', images: 1 };

/** The pool `q` of one process. */
async function openPool(directory?: string, more: Partial<typeof times> = {}, requests = 1): Promise<QuotaPool> {
  const store = await openJobStore(directory === undefined ? {} : { directory });
  const pools = new SqlQuotaPools(store, { ...times, ...more });
  pools.configure(new Map([['q', { requests }]]));
  expect(pools.pool('q')).toBe(pools.pool('q'));
  return pools.pool('q');
}

/** A pool of one request in 400 ms, whose store fails while a test wants it: before it looks, or after that. */
async function openUnreliable() {
  const { runner, owner } = await openJobStore();
  const store = { fails: undefined as 'before' | 'after' | undefined, failures: 0 };
  const run: OperationRunner['run'] = async (name, ...values) => {
    if (store.fails === 'before') return fail();
    const result = await runner.run(name, ...values);
    return store.fails === 'after' ? fail() : result;
  };
  const fail = () => {
    store.failures += 1;
    throw new OperationFailure('failed');
  };
  const pools = new SqlQuotaPools({ runner: runnerOf(run), owner }, { ...times, windowMs: 400 });
  pools.configure(new Map([['q', { requests: 1 }]]));
  return { pool: pools.pool('q'), store };
}

describe('a pool of several processes', () => {
  test('gives a turn that is given back to whoever waits, in another process, too', async () => {
    const directory = await temporaryDirectory();
    const [one, other] = [await openPool(directory), await openPool(directory)];
    const { grant } = await one.ask(need, never);
    expect(grant).toBeDefined();
    const turn = await other.ask(need, never);
    expect([turn.grant, other.waiting]).toEqual([undefined, 1]);
    expect(turn.waitMs).toBeGreaterThan(50_000);
    grant?.release();
    const next = await turn.wait(never, 100_000);
    expect(next?.pool).toBe(other);
    expect(other.waiting).toBe(0);
  });

  test('wakes who waits when its turn has come', async () => {
    const pool = await openPool(undefined, { windowMs: 600, pollMs: 60_000 });
    const { grant } = await pool.ask(need, never);
    await grant?.stamp();
    expect(grant?.usedWhenSent).toBe(1);
    const next = await (await pool.ask(need, never)).wait(never, 10_000);
    await next?.stamp();
    expect(next?.usedWhenSent).toBe(1);
  });

  test('takes those that wait in the order in which they came', async () => {
    const pool = await openPool(undefined, { windowMs: 120 });
    const order: number[] = [];
    const all = [0, 1, 2, 3, 4].map(async (number) => {
      const turn = await pool.ask(need, never);
      const grant = await turn.wait(never, 60_000);
      order.push(number);
      await grant?.stamp();
    });
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  test('lets nobody wait who has no time, or has gone', async () => {
    const pool = await openPool();
    await (await pool.ask(need, never)).grant?.stamp();
    const late = await pool.ask(need, never);
    expect(await late.wait(never, 1_000)).toBeUndefined();
    const client = new AbortController();
    const gone = await pool.ask(need, never);
    const waiting = gone.wait(client.signal, 100_000);
    client.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(pool.ask(need, client.signal)).rejects.toThrow('gone');
    const left = new AbortController();
    const asking = pool.ask(need, left.signal);
    left.abort(new Error('left'));
    await expect(asking).rejects.toThrow('left');
    expect(pool.waiting).toBe(0);
    // Its place, or its turn, is not kept for anybody.
    expect((await pool.ask(need, never)).waitMs).toBeLessThanOrEqual(60_000);
  });

  test('gives back the turn of a client that has gone while it was looked at', async () => {
    const pool = await openPool();
    const client = new AbortController();
    const asking = pool.ask(need, client.signal);
    await Promise.resolve();
    client.abort(new Error('gone'));
    await expect(asking).rejects.toThrow('gone');
    const next = await pool.ask(need, never);
    expect(await next.wait(never, 100_000)).toBeDefined();
  });

  test('is blocked by a 429 for as long as that asks, but not longer than a limit', async () => {
    const directory = await temporaryDirectory();
    const [one, other] = [await openPool(directory), await openPool(directory)];
    expect(await one.refused(4_000, {})).toBe(true);
    expect((await other.ask(need, never)).waitMs).toBeGreaterThan(3_000);
    expect(await one.refused(86_400_000, {})).toBe(true);
    const { waitMs } = await other.ask(need, never);
    // The one before it comes first.
    expect(waitMs).toBeGreaterThan(9_000);
    expect(waitMs).toBeLessThan(10_000 + 60_000 + 1);
  });

  test('without a hint is blocked for as long as Azure looks at', async () => {
    const pool = await openPool();
    await pool.refused(undefined, {});
    const { waitMs } = await pool.ask(need, never);
    expect(waitMs).toBeGreaterThan(9_000);
    expect(waitMs).toBeLessThanOrEqual(10_000);
  });

  test('is corrected by what responses say', async () => {
    const pool = await openPool(undefined, {}, 60);
    const { grant } = await pool.ask(need, never);
    await grant?.stamp();
    await pool.correct({ limit: 60 }, grant);
    await pool.correct({ limit: 60, remaining: 0, resetMs: 5_000 }, undefined);
    const { waitMs } = await pool.ask(need, never);
    expect(waitMs).toBeGreaterThan(50_000);
  });

  test('whose store is away for long rejects, and does not forget to look later', async () => {
    const store = await openJobStore();
    const pools = new SqlQuotaPools(store, { ...times, maxAwayMs: 50 });
    const pool = pools.pool('q');
    await (await pool.ask(need, never)).grant?.stamp();
    const { grant } = await pool.ask(need, never);
    await store.close();
    const unavailable = { kind: 'store_unavailable', outcome: 'not-processed' };
    const turn = await pool.ask(need, never);
    await expect(turn.wait(never, 100_000)).rejects.toMatchObject(unavailable);
    await expect(grant?.stamp()).rejects.toMatchObject(unavailable);
    expect(await pool.refused(1, {})).toBe(false);
    await pool.correct({ remaining: 1 }, grant);
    grant?.release();
    expect(pool.waiting).toBe(0);
  });

  test('whose store comes back: who waits goes on waiting, and a grant is not lost with its answer', async () => {
    const { pool, store } = await openUnreliable();
    await (await pool.ask(need, never)).grant?.stamp();
    const early = (await pool.ask(need, never)).wait(never, 100_000);
    store.fails = 'before';
    const late = pool.ask(need, never).then((turn) => turn.wait(never, 100_000));
    await expect.poll(() => store.failures).toBeGreaterThan(3);
    expect(pool.waiting).toBe(2);
    // What it does is done, and nobody hears of it.
    store.fails = 'after';
    const failures = store.failures;
    await expect.poll(() => store.failures).toBeGreaterThan(failures + 3);
    await new Promise((resolve) => setTimeout(resolve, 500));
    store.fails = undefined;
    const grant = await early;
    await grant?.stamp();
    expect(grant?.usedWhenSent).toBe(1);
    await (await late)?.stamp();
    expect(pool.waiting).toBe(0);
  });

  test('whose store is away: who has no time, or is gone, waits no longer', async () => {
    const { pool, store } = await openUnreliable();
    store.fails = 'before';
    const turn = await pool.ask(need, never);
    expect(turn.grant).toBeUndefined();
    await expect(turn.wait(never, 30)).rejects.toMatchObject({ kind: 'store_unavailable', outcome: 'not-processed' });
    const client = new AbortController();
    const gone = (await pool.ask(need, never)).wait(client.signal, 100_000);
    client.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    expect(pool.waiting).toBe(0);
  });

  test('whose turn has passed before the call was sent: nothing is sent', async () => {
    const pool = await openPool(undefined, { windowMs: 20 });
    const { grant } = await pool.ask(need, never);
    expect(await (await pool.ask(need, never)).wait(never, 100_000)).toBeDefined();
    await expect(grant?.stamp()).rejects.toMatchObject({ kind: 'upstream_rate_limited', outcome: 'not-processed' });
  });
});
