import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OperationRunner } from '../../../src/storage/sql/operations.ts';
import { type PoolRule, quotaOperations } from '../../../src/storage/sql/quota-rows.ts';
import type { QuotaWait } from '../../../src/storage/sql/quota-schedule.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { openJobStore } from './open-job-store.ts';

/** A database, and processes that live. */
type QuotaDatabase = Pick<OperationRunner, 'run'> & { readonly one: string; readonly two: string };

/** One process lives; another one only waits. */
async function open(): Promise<QuotaDatabase> {
  const { runner, owner } = await openJobStore();
  return { run: (name, ...values) => runner.run(name, ...values), one: owner.id, two: 'another' };
}

/** Two processes live. */
async function openTwo(): Promise<QuotaDatabase> {
  const directory = await temporaryDirectory();
  const { runner, owner } = await openJobStore({ directory });
  const { owner: other } = await openJobStore({ directory });
  return { run: (name, ...values) => runner.run(name, ...values), one: owner.id, two: other.id };
}

const second = 1_000;
const rule: PoolRule = {
  pool: 'sub-a',
  requests: 12,
  images: null,
  windowMs: 60 * second,
  marginMs: 0,
  staleMs: 2_500,
};
const start = 1_000_000;

let calls = 0;

function waitOf(consumer: string, { images = 1, queuedAt = start }: Partial<QuotaWait> = {}): QuotaWait {
  calls += 1;
  return { id: `${String(calls).padStart(6, '0')}`, consumer, images, queuedAt };
}

/** Plays the clock for one process until all have been sent, and tells who was sent when. */
async function sendAll(database: QuotaDatabase, waits: readonly QuotaWait[], { now = start, played = rule } = {}) {
  const sent: { readonly consumer: string; readonly id: string; readonly at: number }[] = [];
  let left = [...waits];
  let time = now;
  while (left.length > 0) {
    const { granted, starts } = await database.run('takeQuota', played, database.one, left, time);
    for (const id of granted) {
      await database.run('stampQuota', rule, id, time);
      sent.push({ consumer: left.find((wait) => wait.id === id)?.consumer ?? '', id, at: time - now });
    }
    left = left.filter(({ id }) => !granted.includes(id));
    if (granted.length === 0) time = Math.min(...starts.map(([, at]) => at));
  }
  return sent;
}

/** How many of these times lie in the fullest window. */
function fullest(times: readonly number[], windowMs: number): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length));
}

describe('quota pools', () => {
  test('grant what a minute allows, as evenly as windows of 1 and 10 seconds want it', async () => {
    const sent = await sendAll(
      await open(),
      Array.from({ length: 26 }, () => waitOf('a')),
    );
    const times = sent.map(({ at }) => at / second);
    expect(times.slice(0, 6)).toEqual([0, 1, 10, 11, 20, 21]);
    expect(times.slice(11, 14)).toEqual([51, 60, 61]);
    expect([fullest(times, 1), fullest(times, 10), fullest(times, 60)]).toEqual([1, 2, 12]);
  });

  test('make room for calls that arrive late, where that costs nothing', async () => {
    const played = { ...rule, marginMs: 1_500 };
    const sent = await sendAll(
      await open(),
      Array.from({ length: 13 }, () => waitOf('a')),
      { played },
    );
    const times = sent.map(({ at }) => at / second);
    expect([times.slice(0, 4), times[12]]).toEqual([[0, 2.5, 10, 12.5], 60]);
  });

  test('use nearly all of a quota, although calls are sent a moment after their grant, and count longer than at Azure', async () => {
    const database = await open();
    const played = { ...rule, windowMs: 61.2 * second, marginMs: 1.2 * second };
    let waits = Array.from({ length: 61 }, () => waitOf('a'));
    const sent: number[] = [];
    for (let now = start; waits.length > 0; ) {
      const { granted, starts } = await database.run('takeQuota', played, database.one, waits, now);
      waits = waits.filter(({ id }) => !granted.includes(id));
      now = granted.length > 0 ? now + 100 : Math.min(...starts.map(([, at]) => at));
      for (const id of granted) {
        await database.run('stampQuota', played, id, now);
        sent.push(now);
      }
    }
    const minutes = ((sent.at(-1) ?? 0) - start) / (60 * second);
    expect(60 / minutes / 12).toBeGreaterThanOrEqual(0.95);
    expect(fullest(sent, 60 * second)).toBe(12);
  });

  test('are fair between consumers, and first come first served within one', async () => {
    const greedy = Array.from({ length: 8 }, () => waitOf('greedy'));
    const late = [waitOf('late', { queuedAt: start + 1 }), waitOf('late', { queuedAt: start + 2 })];
    const sent = await sendAll(await open(), [...greedy, ...late]);
    const order = sent.map(({ consumer }) => consumer);
    expect(order.slice(0, 5)).toEqual(['greedy', 'late', 'greedy', 'late', 'greedy']);
    expect(sent.filter(({ consumer }) => consumer === 'greedy').map(({ id }) => id)).toEqual(
      greedy.map(({ id }) => id),
    );
  });

  test('count the images of the calls, and let nobody overtake a call that needs many', async () => {
    const played = { ...rule, requests: null, images: 10 };
    const waits = [waitOf('a', { images: 8 }), waitOf('a', { images: 4 }), waitOf('a'), waitOf('a', { images: 99 })];
    const sent = await sendAll(await open(), waits, { played });
    expect(sent.map(({ id }) => id)).toEqual(waits.map(({ id }) => id));
    expect(sent.map(({ at }) => at / second)).toEqual([0, 60, 60, 120]);
  });

  test('count a grant from when it is sent, and one that is not sent as if it were sent now', async () => {
    const database = await open();
    const played = { ...rule, requests: 1 };
    const [first, next] = [waitOf('a'), waitOf('a')];
    expect((await database.run('takeQuota', played, database.one, [first], start)).granted).toEqual([first.id]);
    const later = start + 50 * second;
    expect((await database.run('takeQuota', played, database.one, [next], later)).starts).toEqual([
      [next.id, later + 60 * second],
    ]);
    expect(await database.run('stampQuota', rule, first.id, later)).toBe(1);
    const third = await database.run('takeQuota', played, database.one, [next], later + 59 * second);
    expect(third.starts).toEqual([[next.id, later + 60 * second]]);
  });

  test('give the grant of a call that was not sent to the next one', async () => {
    const database = await open();
    const played = { ...rule, requests: 1 };
    const [first, next] = [waitOf('a'), waitOf('a')];
    await database.run('takeQuota', played, database.one, [first, next], start);
    await database.run('leaveQuota', [first.id]);
    expect((await database.run('takeQuota', played, database.one, [next], start)).granted).toEqual([next.id]);
    expect(await database.run('stampQuota', rule, first.id, start)).toBeUndefined();
  });

  test('give a grant again whose answer was lost', async () => {
    const database = await open();
    const played = { ...rule, requests: 1 };
    const [first, next] = [waitOf('a'), waitOf('a')];
    await database.run('takeQuota', played, database.one, [first], start);
    const now = start + second;
    const again = await database.run('takeQuota', played, database.one, [first, next], now);
    expect(again).toEqual({ granted: [first.id], starts: [[next.id, now + 60 * second]] });
    expect(await database.run('stampQuota', played, first.id, now)).toBe(1);
    // What was sent is not given once more.
    expect((await database.run('takeQuota', played, database.one, [next], now)).granted).toEqual([]);
  });

  test('forget a grant that was not used for a whole window', async () => {
    const database = await open();
    const played = { ...rule, requests: 1 };
    const [lost, next] = [waitOf('a'), waitOf('a')];
    await database.run('takeQuota', played, database.one, [lost], start);
    const now = start + 60 * second;
    expect((await database.run('takeQuota', played, database.one, [next], now)).granted).toEqual([next.id]);
    expect(await database.run('stampQuota', rule, lost.id, now)).toBeUndefined();
  });

  test('forget who does not wait any more', async () => {
    const database = await open();
    const [gone, next] = [waitOf('a'), waitOf('b', { queuedAt: start + 1 })];
    await sendAll(database, [waitOf('a'), waitOf('b')]);
    const now = start + second;
    await database.run('takeQuota', rule, database.one, [gone], now);
    const before = await database.run('takeQuota', rule, database.two, [next], now);
    expect(before.starts).toEqual([[next.id, start + 11 * second]]);
    await database.run('leaveQuota', [gone.id]);
    const after = await database.run('takeQuota', rule, database.two, [next], now);
    expect(after.starts).toEqual([[next.id, start + 10 * second]]);
  });

  test('do not wait for a process that does not ask any more, nor count what a dead one has not sent', async () => {
    const directory = await temporaryDirectory();
    const [living, dying] = [await openJobStore({ directory }), await openJobStore({ directory })];
    const played = { ...rule, requests: 1 };
    const [sent, waiting, next] = [waitOf('a'), waitOf('a'), waitOf('a', { queuedAt: start + 1 })];
    const { granted } = await dying.runner.run('takeQuota', played, dying.owner.id, [sent, waiting], start);
    expect(granted).toEqual([sent.id]);
    const now = start + 3 * second;
    const take = () => living.runner.run('takeQuota', played, living.owner.id, [next], now);
    expect((await take()).starts).toEqual([[next.id, now + 60 * second]]);
    await dying.close();
    expect((await take()).granted).toEqual([next.id]);
  });

  test('keep the place of a process that was stopped for a while', async () => {
    const database = await open();
    const played = { ...rule, requests: 1 };
    await sendAll(database, [waitOf('a')], { played });
    const [first, other] = [waitOf('a'), waitOf('a', { queuedAt: start + 1 })];
    await database.run('takeQuota', played, database.one, [first], start + second);
    await database.run('takeQuota', played, database.two, [other], start + 10 * second);
    const back = await database.run('takeQuota', played, database.one, [first], start + 11 * second);
    expect(back.starts).toEqual([[first.id, start + 60 * second]]);
    const after = await database.run('takeQuota', played, database.two, [other], start + 12 * second);
    expect(after.starts).toEqual([[other.id, start + 120 * second]]);
  });

  test('give nobody a turn until a 429 allows it, whichever process got it', async () => {
    const database = await open();
    await database.run('refuseQuota', rule, { until: start + 5 * second, limit: null }, start);
    await database.run('refuseQuota', rule, { until: start + 2 * second, limit: null }, start);
    const wait = waitOf('a');
    const { granted, starts } = await database.run('takeQuota', rule, database.two, [wait], start);
    expect([granted, starts]).toEqual([[], [[wait.id, start + 5 * second]]]);
    expect((await database.run('takeQuota', rule, database.two, [wait], start + 5 * second)).granted).toEqual([
      wait.id,
    ]);
  });

  test('log what others have used, and believe that nothing is left only where that is news', async () => {
    const database = await open();
    await sendAll(database, [waitOf('a'), waitOf('a')]);
    const now = start + 30 * second;
    const correct = (id: string, remaining: number, resetAt: number | null = null, more: object = {}) =>
      database.run('correctQuota', rule, { id, limit: 12, remaining, resetAt, usedWhenSent: 1, ...more }, now);
    await correct('x', 10);
    // What was used when the call was sent has aged since then.
    await correct('v', 5, null, { usedWhenSent: 7 });
    // What is left of 10 seconds, or of nobody knows what.
    await correct('w', 1, null, { limit: 2 });
    await correct('w', 1, null, { limit: null });
    expect(await database.run('readQuota', rule, now)).toEqual({ used: 2 / 12 });
    await correct('y', 7);
    await correct('z', 7);
    expect(await database.run('readQuota', rule, now)).toEqual({ used: 5 / 12 });
    await correct('u', 0, now + 20 * second);
    const wait = waitOf('a');
    const { starts } = await database.run('takeQuota', rule, database.one, [wait], now + 15 * second);
    expect(starts[0]?.[1]).toBeGreaterThanOrEqual(now + 20 * second);
  });

  test('without numbers grant all, until a 429 teaches how many; that is raised slowly', async () => {
    const database = await open();
    const played = { ...rule, requests: null };
    const waits = Array.from({ length: 7 }, () => waitOf('a'));
    const { granted } = await database.run('takeQuota', played, database.one, waits, start);
    expect(granted).toHaveLength(7);
    for (const id of granted) await database.run('stampQuota', rule, id, start);
    expect(await database.run('readQuota', played, start)).toEqual({ used: undefined });
    await database.run('refuseQuota', played, { until: start, limit: null }, start);
    expect(await database.run('readQuota', played, start)).toEqual({ used: 7 / 6 });
    const more = Array.from({ length: 40 }, () => waitOf('a'));
    const sent = await sendAll(database, more, { now: start + 60 * second, played });
    const perMinute = [0, 1, 2].map(
      (minute) => sent.filter(({ at }) => Math.floor(at / (60 * second)) === minute).length,
    );
    expect(perMinute).toEqual([7, 8, 9]);
    await database.run('refuseQuota', played, { until: 0, limit: 3 }, start + 600 * second);
    await database.run('takeQuota', played, database.one, [waitOf('a')], start + 600 * second);
    expect(await database.run('readQuota', played, start + 600 * second)).toEqual({ used: 1 / 3 });
  });

  test.each([
    ['waits', 12],
    ['grants', null],
  ])('write many %s with few statements: everybody else waits meanwhile', async (_, requests) => {
    const waits = Array.from({ length: 250 }, () => waitOf('a'));
    const played = { ...rule, requests };
    const steps = quotaOperations.takeQuota(played, 'one', waits, start);
    let statements = 0;
    for (let step = steps.next(); step.done !== true; statements += 1) {
      const rows = step.value.sql.includes('returning') ? [{}] : [];
      step = steps.next({ rows, changes: 0 });
    }
    expect(statements).toBeLessThan(12);
    const database = await open();
    const take = (now: number) => database.run('takeQuota', played, database.one, waits, now);
    const first = await take(start);
    expect(first.granted.length + first.starts.length).toBe(250);
    expect(await database.run('readQuota', { ...rule, requests: 250 }, start)).toEqual({
      used: first.granted.length / 250,
    });
    const late = waitOf('a', { queuedAt: start + 1 });
    const { granted, starts } = await database.run('takeQuota', played, database.two, [late], start);
    // All that wait come before it.
    const turn = requests === null ? start : start + 20 * 60 * second + 50 * second;
    expect([granted, starts]).toEqual(requests === null ? [[late.id], []] : [[], [[late.id, turn]]]);
  });

  test('never grant more than the window allows, whoever asks when, and leave nobody waiting', async () => {
    const step = fc.record({
      owner: fc.constantFrom('one', 'two'),
      consumer: fc.constantFrom('a', 'b', 'c'),
      arrivals: fc.nat({ max: 3 }),
      images: fc.integer({ min: 1, max: 4 }),
      pauseMs: fc.nat({ max: 9_000 }),
      sendAfterMs: fc.nat({ max: 3_000 }),
      gives: fc.boolean(),
    });
    const limits = fc.record({ requests: fc.integer({ min: 1, max: 20 }), images: fc.integer({ min: 4, max: 30 }) });
    const database = await openTwo();
    let pools = 0;
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 40 }), async ({ requests, images }, steps) => {
        pools += 1;
        const played = { ...rule, pool: `pool ${pools}`, requests, images };
        const waiting = new Map<string, QuotaWait[]>();
        const sent: { readonly at: number; readonly images: number }[] = [];
        let now = start;
        for (const { owner, consumer, arrivals, pauseMs, sendAfterMs, gives, ...made } of steps) {
          now += pauseMs;
          const mine = waiting.get(owner) ?? [];
          for (let index = 0; index < arrivals; index += 1) {
            mine.push(waitOf(consumer, { images: made.images, queuedAt: now + index }));
          }
          waiting.set(owner, mine);
          const { granted, starts } = await database.run('takeQuota', played, database[owner], mine, now);
          expect(granted.length + starts.length).toBe(mine.length);
          now += sendAfterMs;
          for (const id of granted) {
            const wait = mine.find((one) => one.id === id) as QuotaWait;
            if (gives) await database.run('leaveQuota', [id]);
            else {
              await database.run('stampQuota', played, id, now);
              sent.push({ at: now, images: wait.images });
            }
          }
          waiting.set(
            owner,
            mine.filter(({ id }) => !granted.includes(id)),
          );
        }
        const times = sent.map(({ at }) => at);
        expect(fullest(times, 60 * second)).toBeLessThanOrEqual(requests);
        expect(fullest(times, 10 * second)).toBeLessThanOrEqual(Math.ceil(requests / 6));
        for (const { at: from } of sent) {
          const window = sent.filter(({ at }) => at >= from && at < from + 60 * second);
          expect(window.reduce((sum, one) => sum + one.images, 0)).toBeLessThanOrEqual(images);
        }
      }),
      { numRuns: 60 },
    );
  });
});
