import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { clients, type Feature, features, isYes } from './matrix.ts';
import { matrixTable } from './matrix-table.ts';
import { suites } from './suites.ts';

test.each(clients)('$name has a check for each cell that says yes, and for no other', ({ id, cells }) => {
  const names = Object.keys(features) as Feature[];
  const checked = names.filter((feature) => suites[id][feature] !== undefined);
  expect(checked).toEqual(names.filter((feature) => isYes(cells[feature])));
});

test('the README shows this table between its marks', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, shown] = /<!-- clients -->\n+([\s\S]*?)\n+<!-- \/clients -->/.exec(readme) ?? [];
  expect(shown, 'README.md has no <!-- clients --> … <!-- /clients -->').toBeDefined();
  expect(shown).toBe(matrixTable());
});
