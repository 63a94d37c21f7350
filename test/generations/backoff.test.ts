import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs, withJitter } from '../../src/generations/backoff.ts';
import { defaultTimes } from '../../src/targets/times.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const runs = { numRuns: 1000 };

test('the backoff is below what doubles with each failure, and below its cap', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2000 }), random, (failures, dice) => {
      const ms = backoffMs(failures, defaultTimes, dice);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(Math.min(8_000, 500 * 2 ** failures));
    }),
    runs,
  );
});

test('the backoff makes use of its whole range', () => {
  expect([0, 0.5, 0.999].map((dice) => Math.round(backoffMs(0, defaultTimes, dice)))).toEqual([0, 250, 500]);
  expect([0, 1, 2, 3, 4, 5, 50].map((failures) => backoffMs(failures, defaultTimes, 0.5))).toEqual([
    250, 500, 1000, 2000, 4000, 4000, 4000,
  ]);
});

test('a wait that was asked for is never shorter than told, and at most a tenth or a second longer', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 30 * 24 * 3600 * 1000, noNaN: true }), random, (hint, dice) => {
      const ms = withJitter(hint, dice);
      expect(ms).toBeGreaterThanOrEqual(hint);
      expect(ms).toBeLessThanOrEqual(hint + Math.min(1_000, hint / 10));
    }),
    runs,
  );
});
