import { expect, test } from 'vitest';
import { microsAsText, periodAt } from '../../src/domain/budget.ts';

test.each([
  ['day', '2026-11-30T23:59:59.999Z', '2026-11-30', '2026-11-30', '2026-11-30', '2026-12-01T00:00:00.000Z'],
  ['month', '2026-11-30T23:59:59.999Z', '2026-11', '2026-11-01', '2026-11-30', '2026-12-01T00:00:00.000Z'],
  ['month', '2026-12-31T23:59:59.999Z', '2026-12', '2026-12-01', '2026-12-31', '2027-01-01T00:00:00.000Z'],
  ['day', '2028-02-29T00:00:00.000Z', '2028-02-29', '2028-02-29', '2028-02-29', '2028-03-01T00:00:00.000Z'],
  ['month', '2028-02-01T00:00:00.000Z', '2028-02', '2028-02-01', '2028-02-29', '2028-03-01T00:00:00.000Z'],
] as const)('the %s of %s is %s', (per, time, name, firstDay, lastDay, resetsAt) => {
  const period = periodAt(per, Date.parse(time));
  expect(period).toEqual({ name, firstDay, lastDay, resetsAt: Date.parse(resetsAt) });
});

test.each([
  [0, '0'],
  [1, '0.000001'],
  [40_000, '0.04'],
  [250_000_000, '250'],
  [1_000_000_000_000_001, '1000000000.000001'],
  [-40_000, '-0.04'],
])('%i millionths are %s', (micros, text) => {
  expect(microsAsText(micros)).toBe(text);
});
