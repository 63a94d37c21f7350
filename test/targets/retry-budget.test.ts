import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Release } from '../../src/concurrency/semaphore.ts';
import { RetryBudget } from '../../src/targets/retry-budget.ts';

test('a retry runs alone where few calls do, and one more may run for each ten calls', () => {
  const budget = new RetryBudget();
  const first = budget.start({ isRetry: true });
  expect(first).toBeDefined();
  expect(budget.start({ isRetry: true })).toBeUndefined();
  first?.();
  first?.();
  expect(budget.start({ isRetry: true })).toBeDefined();
  for (let call = 0; call < 18; call += 1) budget.start({ isRetry: false });
  expect(budget.start({ isRetry: true })).toBeUndefined();
  budget.start({ isRetry: false });
  expect(budget.start({ isRetry: true })).toBeDefined();
  expect(budget.start({ isRetry: true })).toBeUndefined();
});

test('never are there more than a tenth of all running calls, but one at least; all of it comes back', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant('call' as const) },
    { weight: 3, arbitrary: fc.constant('retry' as const) },
    { weight: 2, arbitrary: fc.nat() },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = new RetryBudget();
      const running: { readonly isRetry: boolean; readonly end: Release }[] = [];
      const retries = () => running.filter(({ isRetry }) => isRetry).length;
      for (const next of steps) {
        if (next === 'call') running.push({ isRetry: false, end: budget.start({ isRetry: false }) as Release });
        else if (next === 'retry') {
          const end = budget.start({ isRetry: true });
          expect(end !== undefined).toBe(retries() < Math.max(1, Math.floor(running.length / 10)));
          if (end) running.push({ isRetry: true, end });
        } else running.splice(next % Math.max(1, running.length), 1)[0]?.end();
      }
      for (const { end } of running) end();
      expect(budget.start({ isRetry: true })).toBeDefined();
      expect(budget.start({ isRetry: true })).toBeUndefined();
    }),
    { numRuns: 1000 },
  );
});
