import { expect, test } from 'vitest';
import { readDocument } from '../repository/documents.ts';
import { clients, type Feature, features, isYes } from './matrix.ts';
import { matrixTable } from './matrix-table.ts';
import { suites } from './suites.ts';

test.each(clients)('$name has a check for each cell that says yes, and for no other', ({ id, cells }) => {
  const names = Object.keys(features) as Feature[];
  const checked = names.filter((feature) => suites[id][feature] !== undefined);
  expect(checked).toEqual(names.filter((feature) => isYes(cells[feature])));
});

test('docs/clients.md shows this table between its marks', () => {
  const [, shown] = /<!-- clients -->\n+([\s\S]*?)\n+<!-- \/clients -->/.exec(readDocument('docs/clients.md')) ?? [];
  expect(shown, 'docs/clients.md has no <!-- clients --> … <!-- /clients -->').toBeDefined();
  expect(shown).toBe(matrixTable());
});
