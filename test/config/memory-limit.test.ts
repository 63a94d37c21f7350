import { expect, test } from 'vitest';
import { defaultHeldBytes } from '../../src/config/load-models.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { asyncTarget } from './example-models.ts';

const mebibyte = 1024 * 1024;

test.each([
  ['no limit', 0, 512],
  ['more than enough', 64 * 1024, 512],
  ['an unlimited group, which tells the largest number that there is', 2 ** 44, 512],
  ['1 GiB', 1024, 512],
  ['512 MiB', 512, 256],
  ['256 MiB', 256, 128],
  ['next to nothing', 8, 16],
])('with %s, requests may take %s → %i MiB', (_, limit, expected) => {
  expect(defaultHeldBytes(limit * mebibyte) / mebibyte).toBe(expected);
});

test('what the operator says is not changed', () => {
  const models = { models: { one: asyncTarget }, limits: { heldBytes: 3 * 2 ** 30 } };
  expect(parseModels(JSON.stringify(models), { AZURE_KEY: 'k' }).limits.heldBytes).toBe(3 * 2 ** 30);
});
