import { describe, expect, test } from 'vitest';
import { readJson } from '../../src/config/read-json.ts';
import { problemsIn } from './example-models.ts';

function syntaxMessage(text: string): string | undefined {
  return problemsIn(() => readJson(text, 'models.json'))[0]?.message;
}

describe('readJson', () => {
  test('comments, trailing commas and a byte order mark are allowed', () => {
    const { value, problems } = readJson('\uFEFF{ // one\n "a": [1, 2,], /* two */ "b": {"c": null,},}', 'models.json');
    expect(value).toEqual({ a: [1, 2], b: { c: null } });
    expect(problems).toEqual([]);
  });

  test.each([
    ['{\n  "a": 1\n  "b": 2 }', 'not valid JSON at line 3, column 3: expected a comma'],
    ['{"a" 1}', 'not valid JSON at line 1, column 6: expected a colon'],
    ['{a: 1}', 'not valid JSON at line 1, column 2: expected a JSON value'],
    ['{"a": }', 'not valid JSON at line 1, column 7: expected a value'],
    ['{"a": 1', 'not valid JSON at line 1, column 8: expected a closing }'],
    ['[1', 'not valid JSON at line 1, column 3: expected a closing ]'],
    ['{"a": "x\r\n}', 'not valid JSON at line 1, column 7: a string is not closed'],
    ['{}\r\n\r\n {}', 'not valid JSON at line 3, column 2: expected the end of the file'],
    ['', 'not valid JSON at line 1, column 1: expected a value'],
    [' \n', 'not valid JSON at line 2, column 1: expected a value'],
  ])('%j is refused with its place', (text, message) => {
    expect(syntaxMessage(text)).toBe(message);
  });

  test('only the first syntax error is shown', () => {
    expect(problemsIn(() => readJson('{a b c d', 'models.json'))).toHaveLength(1);
  });

  test('very deep nesting is a problem, not a stack overflow', () => {
    expect(syntaxMessage('['.repeat(200_000))).toBe('nested deeper than 32 levels at line 1, column 33');
  });

  test('a duplicate key is reported at its second place', () => {
    const { problems, placeOf } = readJson('{\n"a": 1,\n"b": {"c": 1,\n"c": 2},\n"a": 2}', 'models.json');
    expect(problems).toEqual([
      { path: ['b', 'c'], message: 'duplicate key, already used on line 3' },
      { path: ['a'], message: 'duplicate key, already used on line 2' },
    ]);
    expect(problems.map(({ path }) => placeOf(path).line)).toEqual([4, 5]);
  });

  test('__proto__ as a key is refused', () => {
    const { problems } = readJson('{"__proto__": {}}', 'models.json');
    expect(problems).toEqual([{ path: ['__proto__'], message: 'this key is not allowed' }]);
  });

  test('the line of a missing value is the line of its parent', () => {
    const { placeOf } = readJson('{\n"a": [\n{},\n{"b": 1}]}', 'models.json');
    const paths = [[], ['a'], ['a', 0], ['a', 1, 'b'], ['a', 1, 'x', 'y'], ['z']];
    expect(paths.map((path) => placeOf(path).line)).toEqual([1, 2, 3, 4, 4, 1]);
  });
});
