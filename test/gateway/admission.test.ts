import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Release } from '../../src/domain/release.ts';
import { Admission } from '../../src/gateway/admission.ts';

const megabyte = 1024 * 1024;
const never = new AbortController().signal;

describe('at the door', () => {
  test('requests are refused at once when there are three times as many as may be worked on', () => {
    const admission = new Admission({ inFlight: 2, heldBytes: 1e9, queueMs: 1_000 });
    const releases = Array.from({ length: 6 }, () => admission.enter(0));
    expect(() => admission.enter(0)).toThrow(expect.objectContaining({ kind: 'overloaded', retryAfterMs: 1_000 }));
    releases[0]?.();
    releases[0]?.();
    releases.push(admission.enter(0));
    expect(() => admission.enter(0)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    for (const release of releases) release();
    expect(admission.heldBytes).toBe(0);
  });

  test('requests are refused at once when their bytes have no room', () => {
    const admission = new Admission({ inFlight: 100, heldBytes: 5 * megabyte, queueMs: 1_000 });
    const first = admission.enter(megabyte);
    const second = admission.enter(megabyte);
    expect(() => admission.enter(megabyte)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    const third = admission.enter(0);
    expect(admission.heldBytes).toBe(5 * megabyte);
    for (const release of [first, second, third]) release();
    expect(admission.heldBytes).toBe(0);
  });

  test('other limits hold at once, and what was let in before counts', async () => {
    const admission = new Admission({ inFlight: 1, heldBytes: 5 * megabyte, queueMs: 1_000 });
    const [first, second] = [admission.enter(megabyte), admission.enter(megabyte)];
    const endTurn = await admission.turn(never);
    const next = admission.turn(never);
    expect(() => admission.enter(megabyte)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    admission.resize({ inFlight: 2, heldBytes: 6 * megabyte, queueMs: 1_000 });
    const third = admission.enter(megabyte);
    (await next)();
    admission.resize({ inFlight: 2, heldBytes: megabyte, queueMs: 1_000 });
    expect(admission.heldBytes).toBe(6 * megabyte);
    expect(() => admission.enter(0)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
    for (const release of [first, second, third, endTurn]) release();
    expect(admission.heldBytes).toBe(0);
    admission.enter(0)();
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
            if (hasRoom) inside.push({ bytes, leave: admission.enter(next.enter) });
            else expect(() => admission.enter(next.enter)).toThrow();
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

test('requests inside take turns, in the order in which they came', async () => {
  const admission = new Admission({ inFlight: 1, heldBytes: 1e9, queueMs: 10_000 });
  const order: number[] = [];
  const first = await admission.turn(never);
  const others = [1, 2].map(async (number) => {
    const release = await admission.turn(never);
    order.push(number);
    release();
  });
  expect(admission.waiting).toBe(2);
  await expect(admission.turn(never)).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 10_000 });
  first();
  await Promise.all(others);
  expect(order).toEqual([1, 2]);
  expect(admission.waiting).toBe(0);
});
