// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { describe, expect, test } from 'vitest';
import { changedVariables, interpolate } from '../../src/config/interpolate.ts';

const malformed = 'a reference must be written ${NAME} or ${NAME:-default}, and defaults cannot be nested';

describe('interpolate', () => {
  test.each([
    ['one name', '${A}', 'one'],
    ['several names with text around', 'x${A}-${B}y', 'xone-twoy'],
    ['a default for an unset name', '${NONE:-http://127.0.0.1:1/a}', 'http://127.0.0.1:1/a'],
    ['a default for an empty name', '${EMPTY:-fallback}', 'fallback'],
    ['a default that is not needed', '${A:-fallback}', 'one'],
    ['an empty default', 'x${NONE:-}y', 'xy'],
    ['a name twice', '${A}${A}', 'oneone'],
    ['a value that looks like a reference', '${NESTED}', '${A}'],
    ['a value with replacement patterns', '${DOLLARS}', "$&$1$'$$"],
    ['a lone dollar', 'cost $5, {A}, $A', 'cost $5, {A}, $A'],
    ['no reference', 'plain', 'plain'],
  ])('%s is filled in', (_, text, expected) => {
    const variables = { A: 'one', B: 'two', EMPTY: '', NESTED: '${A}', DOLLARS: "$&$1$'$$" };
    expect(interpolate(text, variables)).toEqual({ value: expected, problems: [] });
  });

  test.each(['${NONE}', '${EMPTY}', 'a${NONE}b'])('%s without a default is a problem with its variable', (text) => {
    const name = text.includes('NONE') ? 'NONE' : 'EMPTY';
    const { value, problems } = interpolate({ list: [text] }, { EMPTY: '' });
    expect(value).toEqual({ list: [undefined] });
    expect(problems).toEqual([
      { path: ['list', 0], message: `the environment variable ${name} is unset or empty`, missingVariable: name },
    ]);
  });

  test('each missing name of a string is reported once', () => {
    const { problems } = interpolate('${X}${Y}${X}', {});
    expect(problems.map((problem) => problem.missingVariable)).toEqual(['X', 'Y']);
  });

  test.each(['${}', '${A', '${A-B}', '${1A}', '${A:default}', '${A:-${B}}', '${ A }'])('%s is malformed', (text) => {
    expect(interpolate(text, { A: 'one', B: 'two' })).toEqual({
      value: undefined,
      problems: [{ path: [], message: malformed }],
    });
  });

  test('names of Object.prototype are not variables', () => {
    expect(interpolate('${constructor}', {}).problems).toHaveLength(1);
  });

  test('keys, numbers, booleans and null stay as they are', () => {
    const value = { '${A}': 1, b: [true, null, { c: 2.5 }] };
    expect(interpolate(value, { A: 'one' }).value).toEqual(value);
  });
});

test('variables that changed are named, but for those that the file refers to', () => {
  const before = { PORT: '1', KEY: 'a', GONE: 'x', EMPTY: '' };
  const now = { PORT: '2', KEY: 'b', SAME: undefined, NEW: 'y' };
  expect(changedVariables(before, now, '{"apiKey": "${KEY:-none}"}')).toEqual(['PORT', 'GONE', 'NEW']);
  expect(changedVariables(now, now, '')).toEqual([]);
});
