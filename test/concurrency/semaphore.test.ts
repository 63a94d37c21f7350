import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Release, Semaphore } from '../../src/concurrency/semaphore.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('permits', () => {
  test('are given at once while there are some, and to those who wait in their order', async () => {
    const semaphore = new Semaphore({ permits: 2, maxWaiting: 10, maxWaitMs: 1_000 });
    const order: number[] = [];
    const first = await semaphore.acquire();
    await semaphore.acquire();
    const acquire = async (number: number) => {
      const release = await semaphore.acquire();
      order.push(number);
      return release;
    };
    const [one, two] = [acquire(1), acquire(2), acquire(3)];
    expect([semaphore.taken, semaphore.waiting, semaphore.isFull]).toEqual([2, 3, true]);
    first();
    first();
    const release = await one;
    expect([order, semaphore.taken, semaphore.waiting]).toEqual([[1], 2, 2]);
    release?.();
    await two;
    expect(order).toEqual([1, 2]);
  });

  test('are refused at once when the queue is full, after the longest wait, and to whom has gone', async () => {
    const semaphore = new Semaphore({ permits: 1, maxWaiting: 1, maxWaitMs: 1_000 });
    const gone = new AbortController();
    const reason = new Error('gone');
    const release = await semaphore.acquire();
    const late = semaphore.acquire().catch((error: unknown) => error);
    await expect(semaphore.acquire()).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 1_000 });
    vi.advanceTimersByTime(1_000);
    expect(await late).toMatchObject({ kind: 'overloaded' });
    const leaving = semaphore.acquire(gone.signal).catch((error: unknown) => error);
    gone.abort(reason);
    expect(await leaving).toBe(reason);
    await expect(semaphore.acquire(gone.signal)).rejects.toBe(reason);
    release();
    expect([semaphore.taken, semaphore.waiting, vi.getTimerCount()]).toEqual([0, 0, 0]);
  });

  test('that are added later are given to those who wait, and those that are taken away only when they are free', async () => {
    const semaphore = new Semaphore({ permits: 1, maxWaiting: 10, maxWaitMs: 1_000 });
    const first = await semaphore.acquire();
    const [second, third] = [semaphore.acquire(), semaphore.acquire()];
    const fourth = semaphore.acquire();
    semaphore.resize({ permits: 3, maxWaiting: 10, maxWaitMs: 1_000 });
    const releases = [first, await second, await third];
    expect([semaphore.taken, semaphore.waiting]).toEqual([3, 1]);
    semaphore.resize({ permits: 1, maxWaiting: 1, maxWaitMs: 500 });
    releases[0]?.();
    releases[1]?.();
    expect([semaphore.taken, semaphore.waiting, semaphore.isFull]).toEqual([1, 1, true]);
    await expect(semaphore.acquire()).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 500 });
    releases[2]?.();
    (await fourth)();
    expect([semaphore.taken, semaphore.waiting, vi.getTimerCount()]).toEqual([0, 0, 0]);
  });

  test('are waited for by the patient for as long as it takes, in their order', async () => {
    const semaphore = new Semaphore({ permits: 1, maxWaiting: 0, maxWaitMs: 1_000 });
    const gone = new AbortController();
    const first = await semaphore.acquire();
    const second = semaphore.acquire(undefined, { isPatient: true });
    const leaving = semaphore.acquire(gone.signal, { isPatient: true }).catch((error: unknown) => error);
    await expect(semaphore.acquire()).rejects.toMatchObject({ kind: 'overloaded' });
    vi.advanceTimersByTime(1_000_000);
    gone.abort('gone');
    expect([await leaving, semaphore.waiting]).toEqual(['gone', 1]);
    first();
    (await second)();
    expect([semaphore.taken, semaphore.waiting]).toEqual([0, 0]);
  });

  test('that never end have no queue', async () => {
    const semaphore = new Semaphore({ permits: Number.POSITIVE_INFINITY, maxWaitMs: 0 });
    const releases = await Promise.all(Array.from({ length: 100 }, () => semaphore.acquire()));
    expect([semaphore.taken, semaphore.isFull, semaphore.waiting]).toEqual([100, false, 0]);
    for (const release of releases) release();
    expect(semaphore.taken).toBe(0);
  });
});

type Visitor = {
  state: 'waits' | 'holds' | 'was refused' | 'is done';
  readonly leave: AbortController;
  release: Release | undefined;
};

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'acquire' } as const) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), who: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), who: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 150 }) }) },
  // Whatever stands between two of these happens in one moment.
  { weight: 3, arbitrary: fc.constant({ do: 'settle' } as const) },
);

describe('whatever races', () => {
  test('never are there too many, nobody is overtaken, and no permit is lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 4 }),
        fc.array(step, { maxLength: 50 }),
        async (count, queue, steps) => {
          const semaphore = new Semaphore({ permits: count, maxWaiting: queue, maxWaitMs: 100 });
          const visitors: Visitor[] = [];
          const served: Visitor[] = [];
          const of = (state: Visitor['state']) => visitors.filter((visitor) => visitor.state === state);
          const settle = async () => {
            for (let tick = 0; tick < 10; tick += 1) await Promise.resolve();
          };
          const acquire = () => {
            const visitor: Visitor = { state: 'waits', leave: new AbortController(), release: undefined };
            visitors.push(visitor);
            semaphore.acquire(visitor.leave.signal).then(
              (release) => {
                served.push(visitor);
                visitor.state = 'holds';
                visitor.release = release;
                // As everybody does who was given a permit and has gone in that moment.
                if (visitor.leave.signal.aborted) end(visitor);
              },
              () => {
                visitor.state = 'was refused';
              },
            );
          };
          const end = (visitor: Visitor | undefined) => {
            if (visitor === undefined) return;
            visitor.state = 'is done';
            visitor.release?.();
            visitor.release?.();
          };
          for (const next of steps) {
            if (next.do === 'acquire') acquire();
            if (next.do === 'release') end(of('holds')[next.who % Math.max(1, of('holds').length)]);
            if (next.do === 'abort') of('waits')[next.who % Math.max(1, of('waits').length)]?.leave.abort(new Error());
            if (next.do === 'wait') vi.advanceTimersByTime(next.ms);
            if (next.do === 'settle') await settle();
            expect(semaphore.taken).toBeLessThanOrEqual(count);
            expect(semaphore.waiting).toBeLessThanOrEqual(queue);
            expect(of('holds').length).toBeLessThanOrEqual(count);
            // A permit is free only while nobody waits for it.
            if (semaphore.waiting > 0) expect(semaphore.isFull).toBe(true);
          }
          await settle();
          expect(of('holds').length).toBe(semaphore.taken);
          expect(of('waits').length).toBe(semaphore.waiting);
          while (of('holds').length > 0) {
            end(of('holds')[0]);
            await settle();
          }
          expect([semaphore.taken, semaphore.waiting, of('waits').length, vi.getTimerCount()]).toEqual([0, 0, 0, 0]);
          const order = served.map((visitor) => visitors.indexOf(visitor));
          expect(order).toEqual(order.toSorted((one, other) => one - other));
        },
      ),
      { numRuns: 500 },
    );
  });
});
