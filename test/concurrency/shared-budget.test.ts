import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Reservation, SharedBudget } from '../../src/concurrency/shared-budget.ts';

type Held = { readonly consumer: string; readonly reservation: Reservation; amount: number };

test('never is more held than there is, nor by one consumer than its half, and everything comes back', () => {
  const step = fc.oneof(
    fc.record({ open: fc.constantFrom('one', 'two', 'three') }),
    fc.record({ grow: fc.nat({ max: 8 }), who: fc.nat() }),
    fc.record({ release: fc.constant(true), who: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 30 }), (steps, total) => {
      const budget = new SharedBudget(total);
      const all: Held[] = [];
      const heldBy = (consumer?: string) =>
        all
          .filter((one) => consumer === undefined || one.consumer === consumer)
          .reduce((sum, one) => sum + one.amount, 0);
      for (const next of steps) {
        if ('open' in next) all.push({ consumer: next.open, reservation: budget.open(next.open), amount: 0 });
        const held = 'who' in next ? all[next.who % Math.max(1, all.length)] : undefined;
        if ('grow' in next && held) {
          const hasRoom = heldBy() + next.grow <= total && heldBy(held.consumer) + next.grow <= Math.ceil(total / 2);
          expect(held.reservation.grow(next.grow)).toBe(hasRoom);
          if (hasRoom) held.amount += next.grow;
        }
        if ('release' in next && held) {
          held.reservation.release();
          held.reservation.release();
          expect(held.reservation.grow(1)).toBe(false);
          all.splice(all.indexOf(held), 1);
        }
        expect(budget.held).toBe(heldBy());
      }
      for (const { reservation } of all) reservation.release();
      expect(budget.held).toBe(0);
      expect(budget.hasRoomFor('one', Math.ceil(total / 2))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('one consumer may hold as much of it as its share says', () => {
  const budget = new SharedBudget(10, { consumers: { size: 1 } });
  expect(budget.open('one').grow(10)).toBe(true);
  expect(budget.open('other').grow(1)).toBe(false);
  const perConsumer = new SharedBudget(Number.POSITIVE_INFINITY, { maxShare: 2 });
  const grown = ['one', 'one', 'one', 'other'].map((consumer) => perConsumer.open(consumer).grow(1));
  expect(grown).toEqual([true, true, false, true]);
});
