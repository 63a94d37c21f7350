import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Release } from '../../src/concurrency/semaphore.ts';
import { Admission } from '../../src/generations/admission.ts';

const megabyte = 1024 * 1024;
const never = new AbortController().signal;

describe('at the door', () => {
  test('requests are refused at once when there are three times as many as may be worked on', () => {
    const admission = new Admission({ inFlight: 2, heldBytes: 1e9, queueMs: 1_000 });
    const releases = Array.from({ length: 6 }, () => admission.reserve('shop', 0));
    expect(() => admission.reserve('shop', 0)).toThrow(
      expect.objectContaining({ kind: 'overloaded', retryAfterMs: 1_000 }),
    );
    releases[0]?.();
    releases[0]?.();
    releases.push(admission.reserve('shop', 0));
    expect(() => admission.reserve('shop', 0)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    for (const release of releases) release();
    expect(admission.heldBytes).toBe(0);
  });

  test('requests are refused at once when their bytes have no room', () => {
    const admission = new Admission({ inFlight: 100, heldBytes: 5 * megabyte, queueMs: 1_000 });
    const first = admission.reserve('shop', megabyte);
    const second = admission.reserve('shop', megabyte);
    expect(() => admission.reserve('shop', megabyte)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    const third = admission.reserve('shop', 0);
    expect(admission.heldBytes).toBe(5 * megabyte);
    for (const release of [first, second, third]) release();
    expect(admission.heldBytes).toBe(0);
  });

  test('other limits hold at once, and what was let in before counts', async () => {
    const admission = new Admission({ inFlight: 1, heldBytes: 5 * megabyte, queueMs: 1_000 });
    const [first, second] = [admission.reserve('shop', megabyte), admission.reserve('shop', megabyte)];
    const endTurn = await admission.acquire(never);
    const next = admission.acquire(never);
    expect(() => admission.reserve('shop', megabyte)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    admission.resize({ inFlight: 2, heldBytes: 6 * megabyte, queueMs: 1_000 });
    const third = admission.reserve('shop', megabyte);
    (await next)();
    admission.resize({ inFlight: 2, heldBytes: megabyte, queueMs: 1_000 });
    expect(admission.heldBytes).toBe(6 * megabyte);
    expect(() => admission.reserve('shop', 0)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    for (const release of [first, second, third, endTurn]) release();
    expect(admission.heldBytes).toBe(0);
    admission.reserve('shop', 0)();
  });

  test('nothing exceeds the limits, and bytes and counts come back, whatever comes and goes', () => {
    const step = fc.oneof(fc.record({ enter: fc.nat({ max: megabyte }) }), fc.record({ leave: fc.nat() }));
    const limits = { inFlight: 3, heldBytes: 12 * megabyte, queueMs: 0 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const admission = new Admission(limits);
        const inside: { readonly bytes: number; readonly leave: Release }[] = [];
        const held = () => inside.reduce((sum, { bytes }) => sum + bytes, 0);
        for (const next of steps) {
          if ('leave' in next) inside.splice(next.leave % Math.max(1, inside.length), 1)[0]?.leave();
          else {
            const bytes = next.enter + megabyte;
            const hasRoom = inside.length < 9 && held() + bytes <= limits.heldBytes;
            if (hasRoom) inside.push({ bytes, leave: admission.reserve('shop', next.enter) });
            else expect(() => admission.reserve('shop', next.enter)).toThrow();
          }
          expect(admission.heldBytes).toBe(held());
        }
        for (const { leave } of inside) leave();
        expect(admission.heldBytes).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('where several consumers may call', () => {
  const shared = { size: 2 };

  test('one of them holds half of the places, and still all that are worked on', async () => {
    const admission = new Admission({ inFlight: 4, heldBytes: 1e9, queueMs: 1_000 }, shared);
    const releases = Array.from({ length: 6 }, () => admission.reserve('one', 0));
    const turns = await Promise.all(Array.from({ length: 4 }, () => admission.acquire(never)));
    expect(admission.isFullFor('one', 0)).toBe(true);
    expect(() => admission.reserve('one', 0)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    expect(admission.isFullFor('other', 0)).toBe(false);
    releases.push(...Array.from({ length: 6 }, () => admission.reserve('other', 0)));
    expect(admission.isFullFor('third', 0)).toBe(true);
    for (const release of [...releases, ...turns]) release();
    expect([admission.heldBytes, admission.isFullFor('one', 0)]).toEqual([0, false]);
  });

  test('one of them holds half of the memory', () => {
    const admission = new Admission({ inFlight: 9, heldBytes: 4 * megabyte, queueMs: 1_000 }, shared);
    const release = admission.reserve('one', megabyte);
    expect(() => admission.reserve('one', 0)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    admission.reserve('other', megabyte)();
    release();
    admission.reserve('one', megabyte)();
    expect(admission.heldBytes).toBe(0);
  });

  test('it depends on who may call at the moment', () => {
    const consumers = { size: 1 };
    const admission = new Admission({ inFlight: 2, heldBytes: 1e9, queueMs: 1_000 }, consumers);
    const releases = Array.from({ length: 6 }, () => admission.reserve('one', 0));
    consumers.size = 2;
    releases.pop()?.();
    expect(admission.isFullFor('one', 0)).toBe(true);
    expect(admission.isFullFor('other', 0)).toBe(false);
  });
});

describe('a body that arrives', () => {
  const limits = { inFlight: 1, heldBytes: 4 * megabyte, queueMs: 1_000 };

  test('takes no place, and of the memory what has come, up to a megabyte', () => {
    const admission = new Admission(limits);
    const arrivals = Array.from({ length: 20 }, () => admission.arrive('one'));
    expect([admission.heldBytes, admission.isFullFor('one', 0)]).toEqual([0, false]);
    const [first, second] = arrivals;
    first?.receive(1000);
    first?.receive(5 * megabyte);
    expect(admission.heldBytes).toBe(megabyte);
    second?.receive(megabyte);
    for (const arrival of arrivals) arrival.release();
    for (const arrival of arrivals) arrival.release();
    first?.receive(1000);
    expect(admission.heldBytes).toBe(0);
  });

  test('is refused when there is no memory for more of it, and keeps what it has until it is let go', () => {
    const admission = new Admission(limits);
    const arrivals = Array.from({ length: 5 }, () => admission.arrive('one'));
    for (const arrival of arrivals.slice(0, 4)) arrival.receive(megabyte);
    expect(() => arrivals[4]?.receive(1)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    expect(admission.heldBytes).toBe(4 * megabyte);
    arrivals[0]?.release();
    arrivals[4]?.receive(megabyte);
    for (const arrival of arrivals) arrival.release();
    expect(admission.heldBytes).toBe(0);
  });

  test('is one of a thousand of a consumer at most', () => {
    const admission = new Admission(limits);
    const arrivals = Array.from({ length: 1_000 }, () => admission.arrive('one'));
    expect(() => admission.arrive('one')).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    admission.arrive('other').release();
    arrivals[0]?.release();
    arrivals[0]?.release();
    admission.arrive('one');
    expect(() => admission.arrive('one')).toThrow(expect.objectContaining({ kind: 'overloaded' }));
  });
});

test('requests inside take turns, in the order in which they came', async () => {
  const admission = new Admission({ inFlight: 1, heldBytes: 1e9, queueMs: 10_000 });
  const order: number[] = [];
  const first = await admission.acquire(never);
  const others = [1, 2].map(async (number) => {
    const release = await admission.acquire(never);
    order.push(number);
    release();
  });
  expect(admission.waiting).toBe(2);
  await expect(admission.acquire(never)).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 10_000 });
  first();
  await Promise.all(others);
  expect(order).toEqual([1, 2]);
  expect(admission.waiting).toBe(0);
});
