import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseTarget } from '../../src/gateway/choose-target.ts';

const east = { name: 'east', priority: 0, weight: 3 };
const west = { name: 'west', priority: 0, weight: 1 };
const spare = { name: 'spare', priority: 1, weight: 100 };

test('chooseTarget gives the targets of the lowest priority number their share by weight', () => {
  const chosen = [0, 0.5, 0.74, 0.75, 0.99].map((random) => chooseTarget([spare, east, west], random).name);
  expect(chosen).toEqual(['east', 'east', 'east', 'west', 'west']);
});

test('chooseTarget always finds one of the lowest priority number', () => {
  const target = fc.record({ priority: fc.nat({ max: 3 }), weight: fc.integer({ min: 1, max: 1000 }) });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.array(target, { minLength: 1, maxLength: 8 }), random, (targets, dice) => {
      const chosen = chooseTarget(targets, dice);
      expect(targets).toContain(chosen);
      expect(chosen.priority).toBe(Math.min(...targets.map(({ priority }) => priority)));
    }),
    { numRuns: 1000 },
  );
});
