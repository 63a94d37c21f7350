import { describe, expect, test } from 'vitest';
import { readDocument } from '../repository/documents.ts';
import { featuresOf, isYes, type Matrix } from './cells.ts';
import { imagesMatrix } from './matrix.ts';
import { matrixTable } from './matrix-table.ts';
import { responsesMatrix } from './responses/responses-matrix.ts';
import { responsesSuites } from './responses/responses-suites.ts';
import type { Suites } from './suite.ts';
import { suites } from './suites.ts';

describe('the clients of the Images API', () => {
  expectWhole('clients', imagesMatrix, suites);
});

describe('the clients of the Responses API', () => {
  expectWhole('responses-clients', responsesMatrix, responsesSuites);
});

/** @param marks the comments in the document between which the table stands */
function expectWhole<Feature extends string>(marks: string, matrix: Matrix<Feature>, checks: Suites<Feature>): void {
  const names = featuresOf(matrix);

  test.each(matrix.clients)('$name has a check for each cell that says yes, and for no other', ({ id, cells }) => {
    const checked = names.filter((feature) => checks[id]?.[feature] !== undefined);
    expect(checked).toEqual(names.filter((feature) => isYes(cells[feature])));
  });

  test('docs/clients.md shows this table between its marks', () => {
    const between = new RegExp(`<!-- ${marks} -->\\n+([\\s\\S]*?)\\n+<!-- /${marks} -->`);
    const [, shown] = between.exec(readDocument('docs/clients.md')) ?? [];
    expect(shown, `docs/clients.md has no <!-- ${marks} --> … <!-- /${marks} -->`).toBeDefined();
    expect(shown).toBe(matrixTable(matrix));
  });
}
