import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RateWindow } from '../../../src/http/keys/rate-window.ts';

afterEach(() => void vi.useRealTimers());

const fake = { toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_000_000_000 } as const;
const useFakes = () => vi.useFakeTimers({ ...fake, toFake: [...fake.toFake] });

describe('a window of points', () => {
  test('is whole before its first use', async () => {
    expect(await new RateWindow(5, 60_000).usage()).toEqual({ limit: 5, remaining: 5, resetMs: 0 });
  });

  test('gives all of what is asked for, or nothing of it', async () => {
    const window = new RateWindow(5, 60_000);
    expect(await window.take(3)).toMatchObject({ isGranted: true, usage: { limit: 5, remaining: 2 } });
    expect(await window.take(3)).toMatchObject({ isGranted: false, usage: { limit: 5, remaining: 2 } });
    expect(await window.take(2)).toMatchObject({ isGranted: true, usage: { limit: 5, remaining: 0 } });
    expect(await window.take(1)).toMatchObject({ isGranted: false, usage: { limit: 5, remaining: 0 } });
  });

  test('is whole again when its time is over', async () => {
    useFakes();
    const window = new RateWindow(2, 10_000);
    await window.take(2);
    vi.advanceTimersByTime(9_999);
    expect(await window.take(1)).toMatchObject({ isGranted: false, usage: { remaining: 0, resetMs: 1 } });
    vi.advanceTimersByTime(1);
    expect(await window.take(1)).toMatchObject({ isGranted: true, usage: { remaining: 1, resetMs: 10_000 } });
  });

  test('takes points back once', async () => {
    const window = new RateWindow(5, 60_000);
    const { refund } = await window.take(3);
    expect(await refund()).toMatchObject({ remaining: 5 });
    expect(await refund()).toMatchObject({ remaining: 5 });
    const refused = await window.take(9);
    expect(await refused.refund()).toMatchObject({ remaining: 5 });
  });

  test.each([
    ['before the next one is used', 0],
    ['while the next one is used', 2],
  ])('takes no points back in a later window, %s', async (_, used) => {
    useFakes();
    const window = new RateWindow(5, 10_000);
    const { refund } = await window.take(4);
    vi.advanceTimersByTime(15_000);
    if (used > 0) await window.take(used);
    expect(await refund()).toMatchObject({ remaining: 5 - used });
    expect((await window.take(6 - used)).isGranted).toBe(false);
  });

  test.each([
    ['forward', 3_600_000, [true]],
    ['back', -3_600_000, [false]],
  ])(
    'when the clock jumps %s, never promises a longer wait than a window, and keeps to that',
    async (_, jump, granted) => {
      useFakes();
      const window = new RateWindow(1, 10_000);
      const { refund } = await window.take(1);
      vi.setSystemTime(Date.now() + jump);
      const taken = await window.take(1);
      expect([taken.isGranted]).toEqual(granted);
      expect(taken.usage.resetMs).toBeLessThanOrEqual(10_000);
      expect(taken.usage.resetMs).toBeGreaterThan(0);
      await refund();
      vi.advanceTimersByTime(10_000);
      expect([(await window.take(1)).isGranted, (await window.take(1)).isGranted]).toEqual([true, false]);
    },
  );

  test('never grants more than its points, whatever is taken and refunded', async () => {
    const step = fc.record({ points: fc.integer({ min: 1, max: 4 }), isGivenBack: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 10 }), fc.array(step, { maxLength: 20 }), async (limit, steps) => {
        const window = new RateWindow(limit, 60_000);
        let held = 0;
        for (const { points, isGivenBack } of steps) {
          const { isGranted, refund, usage } = await window.take(points);
          expect(isGranted).toBe(held + points <= limit);
          if (isGranted) held += points;
          expect(usage.remaining).toBe(limit - held);
          if (!isGivenBack) continue;
          if (isGranted) held -= points;
          expect((await refund()).remaining).toBe(limit - held);
        }
      }),
      { numRuns: 200 },
    );
  });
});
