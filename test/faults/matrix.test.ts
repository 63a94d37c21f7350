import { expect, test } from 'vitest';
import { allCells, isCovered, isLeftOut, leftOut, nameOf, nominalCells, nominalVariantCells } from './matrix.ts';
import { extras } from './table/all.ts';

test('every fault meets every mode and both clients, save for what is left out with a reason', () => {
  expect(nominalCells).toHaveLength(432);
  expect(nominalCells.filter((cell) => isCovered(cell) === isLeftOut(cell))).toEqual([]);
  expect(leftOut.every(({ reason }) => reason.length > 10)).toBe(true);
  expect(nominalCells.filter(isCovered).length).toBeGreaterThanOrEqual(400);
});

test('the variants meet every fault, too', () => {
  expect(nominalVariantCells).toHaveLength(288);
  expect(nominalVariantCells.filter((cell) => isCovered(cell) === isLeftOut(cell))).toEqual([]);
});

test('at least 70 extras are of single modes', () => {
  expect(extras.length).toBeGreaterThanOrEqual(70);
});

test('no two cells have the same name', () => {
  const names = allCells.map(nameOf);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
