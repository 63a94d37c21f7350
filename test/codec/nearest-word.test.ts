import { expect, test } from 'vitest';
import { nearestWord } from '../../src/codec/nearest-word.ts';

const known = ['baseURL', 'apiKey', 'generations', 'n'];

test.each([
  ['base_url', 'baseURL'],
  ['APIKEY', 'apiKey'],
  ['generation', 'generations'],
  ['generate', undefined],
  ['N', 'n'],
  ['m', undefined],
  ['', undefined],
  ['nothing', undefined],
  ['generations'.repeat(100_000), undefined],
])('%.20s: %s', (word, near) => expect(nearestWord(word, known)).toBe(near));

test('of nothing, nothing is near', () => expect(nearestWord('a', [])).toBeUndefined());
