import { expect, test } from 'vitest';
import { retirementWarnings } from '../../src/cli/retirement-warnings.ts';
import { v1Target } from '../config/example-models.ts';
import { parseModels } from '../helpers/parse-models.ts';

function warningsOn(day: string, ...changes: readonly object[]): readonly string[] {
  const targets = changes.map((change) => ({ ...v1Target, ...change }));
  return retirementWarnings(parseModels(JSON.stringify({ models: { poster: { targets } } }), {}), Date.parse(day));
}

const retired = { name: 'old', model: 'gpt-image-1.5' };

test.each([
  ['2026-10-16T23:00:00Z', []],
  [
    '2026-10-17T00:00:00Z',
    [
      /^model poster, target old: gpt-image-1\.5 is retired on 2026-12-16, in 60 days; deploy gpt-image-2 instead \(https:/,
    ],
  ],
  ['2026-12-15T12:00:00Z', [/is retired on 2026-12-16, in 1 day;/]],
  ['2026-12-16T00:00:00Z', [/gpt-image-1\.5 was retired on 2026-12-16: it is tried last; deploy gpt-image-2 instead/]],
])('on %s', (day, expected) => {
  const found = warningsOn(day, retired, { name: 'new', model: 'MAI-Image-2.6', provider: 'mai' });
  expect(found).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
});

test('the date of the operator counts, and `never` needs no warning', () => {
  const day = '2027-02-20';
  expect(warningsOn(day, { model: 'my-model', retires: '2027-03-01' })).toEqual([
    'model poster, target 1: my-model is retired on 2027-03-01, in 9 days (`retires`)',
  ]);
  expect(warningsOn(day, { ...retired, retires: 'never' })).toEqual([]);
});
