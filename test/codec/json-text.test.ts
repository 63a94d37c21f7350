import fc from 'fast-check';
import { expect, test } from 'vitest';
import { repeatedMember } from '../../src/codec/json-text.ts';

test('no value that was written with each member once has one twice', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
      expect(repeatedMember(JSON.stringify(value, null, indent))).toBeUndefined();
    }),
  );
});

test('a member that is repeated anywhere is found', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), fc.jsonValue(), (others, name, value) => {
      const { [name]: _same, ...rest } = others;
      const members = [...Object.entries(rest), [name, value], [name, 1]] as [string, unknown][];
      const object = members.map(([key, member]) => `${JSON.stringify(key)} : ${JSON.stringify(member)}`).join();
      expect(repeatedMember(`{${object}}`)).toEqual([name]);
      expect(repeatedMember(`{"outer":[0,{${object}}]}`)).toEqual(['outer', name]);
    }),
  );
});

test.each([
  ['{"a":1,"\\u0061":2}', ['a']],
  ['{"a\\"":1,"a\\"":2}', ['a"']],
  ['{"a":"\\"a\\":","b":"{"}', undefined],
  ['[{"a":1},{"a":1}]', undefined],
  ['{"a":{"a":{"a":1}}}', undefined],
])('%s: %j', (text, path) => {
  expect(repeatedMember(text)).toEqual(path);
});
