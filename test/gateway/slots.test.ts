import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Release } from '../../src/gateway/release.ts';
import { Slots } from '../../src/gateway/slots.ts';

const never = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('slots', () => {
  test('are given at once while there are some, and to those who wait in their order', async () => {
    const slots = new Slots({ count: 2, queue: 10, queueMs: 1_000 });
    const order: number[] = [];
    const first = await slots.enter(never);
    await slots.enter(never);
    const enter = async (number: number) => {
      const release = await slots.enter(never);
      order.push(number);
      return release;
    };
    const [one, two] = [enter(1), enter(2), enter(3)];
    expect([slots.taken, slots.waiting, slots.isFull]).toEqual([2, 3, true]);
    first();
    first();
    const release = await one;
    expect([order, slots.taken, slots.waiting]).toEqual([[1], 2, 2]);
    release?.();
    await two;
    expect(order).toEqual([1, 2]);
  });

  test('are refused at once when the queue is full, after the longest wait, and to whom has gone', async () => {
    const slots = new Slots({ count: 1, queue: 1, queueMs: 1_000 });
    const gone = new AbortController();
    const reason = new Error('gone');
    const release = await slots.enter(never);
    const late = slots.enter(never).catch((error: unknown) => error);
    await expect(slots.enter(never)).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 1_000 });
    vi.advanceTimersByTime(1_000);
    expect(await late).toMatchObject({ kind: 'overloaded' });
    const leaving = slots.enter(gone.signal).catch((error: unknown) => error);
    gone.abort(reason);
    expect(await leaving).toBe(reason);
    await expect(slots.enter(gone.signal)).rejects.toBe(reason);
    release();
    expect([slots.taken, slots.waiting, vi.getTimerCount()]).toEqual([0, 0, 0]);
  });

  test('that are added later are given to those who wait, and those that are taken away only when they are free', async () => {
    const slots = new Slots({ count: 1, queue: 10, queueMs: 1_000 });
    const first = await slots.enter(never);
    const [second, third] = [slots.enter(never), slots.enter(never)];
    const fourth = slots.enter(never);
    slots.resize({ count: 3, queue: 10, queueMs: 1_000 });
    const releases = [first, await second, await third];
    expect([slots.taken, slots.waiting]).toEqual([3, 1]);
    slots.resize({ count: 1, queue: 1, queueMs: 500 });
    releases[0]?.();
    releases[1]?.();
    expect([slots.taken, slots.waiting, slots.isFull]).toEqual([1, 1, true]);
    await expect(slots.enter(never)).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 500 });
    releases[2]?.();
    (await fourth)();
    expect([slots.taken, slots.waiting, vi.getTimerCount()]).toEqual([0, 0, 0]);
  });

  test('are waited for by the patient for as long as it takes, in their order', async () => {
    const slots = new Slots({ count: 1, queue: 0, queueMs: 1_000 });
    const gone = new AbortController();
    const first = await slots.enter(never);
    const second = slots.enter(never, { isPatient: true });
    const leaving = slots.enter(gone.signal, { isPatient: true }).catch((error: unknown) => error);
    await expect(slots.enter(never)).rejects.toMatchObject({ kind: 'overloaded' });
    vi.advanceTimersByTime(1_000_000);
    gone.abort('gone');
    expect([await leaving, slots.waiting]).toEqual(['gone', 1]);
    first();
    (await second)();
    expect([slots.taken, slots.waiting]).toEqual([0, 0]);
  });

  test('that never end have no queue', async () => {
    const slots = new Slots({ count: Number.POSITIVE_INFINITY, queue: Number.POSITIVE_INFINITY, queueMs: 0 });
    const releases = await Promise.all(Array.from({ length: 100 }, () => slots.enter(never)));
    expect([slots.taken, slots.isFull, slots.waiting]).toEqual([100, false, 0]);
    for (const release of releases) release();
    expect(slots.taken).toBe(0);
  });
});

type Visitor = {
  state: 'waits' | 'holds' | 'was refused' | 'is done';
  readonly leave: AbortController;
  release: Release | undefined;
};

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'enter' } as const) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), who: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), who: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 150 }) }) },
  // Whatever stands between two of these happens in one moment.
  { weight: 3, arbitrary: fc.constant({ do: 'settle' } as const) },
);

describe('whatever races', () => {
  test('never are there too many, nobody is overtaken, and no slot is lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 4 }),
        fc.array(step, { maxLength: 50 }),
        async (count, queue, steps) => {
          const slots = new Slots({ count, queue, queueMs: 100 });
          const visitors: Visitor[] = [];
          const served: Visitor[] = [];
          const of = (state: Visitor['state']) => visitors.filter((visitor) => visitor.state === state);
          const settle = async () => {
            for (let tick = 0; tick < 10; tick += 1) await Promise.resolve();
          };
          const enter = () => {
            const visitor: Visitor = { state: 'waits', leave: new AbortController(), release: undefined };
            visitors.push(visitor);
            slots.enter(visitor.leave.signal).then(
              (release) => {
                served.push(visitor);
                visitor.state = 'holds';
                visitor.release = release;
                // As everybody does who was given a slot and has gone in that moment.
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
            if (next.do === 'enter') enter();
            if (next.do === 'release') end(of('holds')[next.who % Math.max(1, of('holds').length)]);
            if (next.do === 'abort') of('waits')[next.who % Math.max(1, of('waits').length)]?.leave.abort(new Error());
            if (next.do === 'wait') vi.advanceTimersByTime(next.ms);
            if (next.do === 'settle') await settle();
            expect(slots.taken).toBeLessThanOrEqual(count);
            expect(slots.waiting).toBeLessThanOrEqual(queue);
            expect(of('holds').length).toBeLessThanOrEqual(count);
            // A slot is free only while nobody waits for it.
            if (slots.waiting > 0) expect(slots.isFull).toBe(true);
          }
          await settle();
          expect(of('holds').length).toBe(slots.taken);
          expect(of('waits').length).toBe(slots.waiting);
          while (of('holds').length > 0) {
            end(of('holds')[0]);
            await settle();
          }
          expect([slots.taken, slots.waiting, of('waits').length, vi.getTimerCount()]).toEqual([0, 0, 0, 0]);
          const order = served.map((visitor) => visitors.indexOf(visitor));
          expect(order).toEqual(order.toSorted((one, other) => one - other));
        },
      ),
      { numRuns: 500 },
    );
  });
});
