import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parametersDocument } from '../../scripts/parameters-document.ts';

test('docs/parameters.md is fresh (npm run docs)', () => {
  expect(readFileSync('docs/parameters.md', 'utf8')).toBe(parametersDocument());
});
