import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { retryHint } from '../../src/upstream/retry-hint.ts';

const now = Date.parse('2026-11-21T10:00:00Z');

describe('retryHint', () => {
  test.each<[string, Record<string, string>, string, number | undefined]>([
    ['retry-after-ms before retry-after', { 'retry-after-ms': '1500', 'retry-after': '9' }, '', 1500],
    ['a fraction of a millisecond, rounded up', { 'retry-after-ms': '0.5' }, '', 1],
    ['x-ms-retry-after-ms', { 'x-ms-retry-after-ms': '700' }, '', 700],
    ['retry-after in seconds', { 'retry-after': '38' }, '', 38_000],
    ['zero', { 'retry-after': '0' }, 'retry after 5 seconds', 0],
    [
      'a date, by the answer’s own clock',
      { 'retry-after': 'Sat, 21 Nov 2026 12:00:10 GMT', date: 'Sat, 21 Nov 2026 12:00:00 GMT' },
      '',
      10_000,
    ],
    ['a date, by our clock', { 'retry-after': 'Sat, 21 Nov 2026 10:00:10 GMT' }, '', 10_000],
    ['a date that has passed', { 'retry-after': 'Sat, 21 Nov 2020 10:00:10 GMT' }, '', 0],
    ['Azure’s text', {}, 'exceeded call rate limit. Please retry after 38 seconds. Please go here', 38_000],
    ['API Management’s text', {}, 'Rate limit is exceeded. Try again in 38 seconds.', 38_000],
    ['a day', {}, 'Please retry after 86400 seconds.', 86_400_000],
    ['nothing', {}, 'Too many requests', undefined],
    ['a negative number', { 'retry-after': '-5' }, '', undefined],
    ['garbage, then the text', { 'retry-after-ms': 'soon', 'retry-after': 'later' }, 'try again in 2 seconds', 2000],
    ['more than a month', { 'retry-after': '99999999' }, '', undefined],
    ['an overflow', { 'retry-after': '9'.repeat(400) }, '', undefined],
  ])('reads %s', (_name, headers, text, expected) => {
    expect(retryHint(headers, text, now)).toBe(expected);
  });

  test('is a usable number or nothing, whatever it is given', () => {
    const value = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.date().map(String),
      fc.constantFrom('1e9', '0x10', 'Infinity', 'NaN', '٣'),
    );
    fc.assert(
      fc.property(value, value, fc.string({ maxLength: 300 }), (ms, seconds, text) => {
        const hint = retryHint({ 'retry-after-ms': ms, 'retry-after': seconds }, `retry after ${text}`, now);
        if (hint !== undefined)
          expect(Number.isSafeInteger(hint) && hint >= 0 && hint <= 30 * 24 * 3600 * 1000).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });
});
