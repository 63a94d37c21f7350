import { describe, expect, test } from 'vitest';
import { featuresOf, isYes, type Matrix } from './cells.ts';
import type { Suites } from './suite.ts';

/** One test, or several, for each cell of the matrix that says yes, of every second client: two files share the waiting. */
export function checkCells<Feature extends string>(
  matrix: Matrix<Feature>,
  suites: Suites<Feature>,
  remainder: 0 | 1,
): void {
  for (const { id, name, cells } of matrix.clients.filter((_, at) => at % 2 === remainder)) {
    describe(name, () => {
      const promised = featuresOf(matrix).filter((feature) => isYes(cells[feature]));
      for (const feature of promised) {
        const checks = suites[id]?.[feature] ?? (() => expect.fail(`${id} has no check for ${feature}`));
        if (typeof checks === 'function') test(feature, checks);
        else describe(feature, () => Object.entries(checks).forEach(([title, check]) => void test(title, check)));
      }
    });
  }
}
