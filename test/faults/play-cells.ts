import { test } from 'vitest';
import { type Cell, nameOf } from './matrix.ts';
import { runCell } from './run-cell.ts';

/** A test for each cell; they wait far more than they work, so many of them run at once. */
export function playCells(cells: readonly Cell[]): void {
  for (const cell of cells) {
    test.concurrent(nameOf(cell), ({ onTestFinished }) => runCell(cell, onTestFinished));
  }
}
