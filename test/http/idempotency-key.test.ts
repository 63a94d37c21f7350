import { describe, expect, test } from 'vitest';
import { hasIdempotencyKey, readIdempotencyKey } from '../../src/http/idempotency-key.ts';

const read = (...values: string[]) => readIdempotencyKey({ headersDistinct: { 'idempotency-key': values } });

describe('an Idempotency-Key', () => {
  test('is missing where there is no header', () => {
    expect(readIdempotencyKey({ headersDistinct: {} })).toBeUndefined();
    expect(hasIdempotencyKey({ headers: {} })).toBe(false);
    expect(hasIdempotencyKey({ headers: { 'idempotency-key': '' } })).toBe(true);
  });

  test.each([
    ['k', 'k'],
    ['"k"', 'k'],
    ['  k\t', 'k'],
    [' "k" ', 'k'],
    ['a b', 'a b'],
    ['" k "', ' k '],
    ['"a\\"b"', 'a"b'],
    ['"a\\\\b"', 'a\\b'],
    ['a"b', 'a"b'],
    ['k"', 'k"'],
    ["'k'", "'k'"],
    ['a,b', 'a,b'],
    ['k;a=1', 'k;a=1'],
    ['!~', '!~'],
    ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['x'.repeat(255), 'x'.repeat(255)],
    [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
    [`"${'\\"'.repeat(255)}"`, '"'.repeat(255)],
  ])('%j is the key %j', (text, key) => {
    expect(read(text)).toBe(key);
  });

  test.each([
    ['empty', ''],
    ['blank', '  '],
    ['empty within quotes', '""'],
    ['256 characters', 'x'.repeat(256)],
    ['256 characters within quotes', `"${'x'.repeat(256)}"`],
    ['an open quote', '"k'],
    ['a single quote', '"'],
    ['a quote too many', '"a"b"'],
    ['an escaped closing quote', '"k\\"'],
    ['an unknown escape', '"a\\b"'],
    ['parameters behind the quotes', '"k";a=1'],
    ['Latin-1', 'clé'],
    ['UTF-8 as Node reads it', Buffer.from('ключ').toString('latin1')],
    ['a tab inside', 'a\tb'],
    ['a control character', 'a\u0001'],
    ['DEL', 'a\u007f'],
  ])('%s is refused by name', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ kind: 'invalid_value', param: 'Idempotency-Key' }));
  });

  test.each([
    ['different', ['a', 'b']],
    ['equal', ['a', 'a']],
    ['empty', ['', 'a']],
  ])('two headers are refused: %s', (_, values) => {
    expect(() => read(...values)).toThrow(expect.objectContaining({ kind: 'invalid_value' }));
  });
});
