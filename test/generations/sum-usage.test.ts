import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sumUsage } from '../../src/generations/sum-usage.ts';

const details = { text_tokens: 1, image_tokens: 2 };
const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 7, input_tokens_details: details };

describe('the usage of two calls', () => {
  test('is the sum of both, member by member', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (one, other) => {
        const of = (tokens: number) => ({ total_tokens: tokens, input_tokens_details: { text_tokens: tokens } });
        expect(sumUsage(of(one), of(other))).toEqual(of(one + other));
      }),
    );
  });

  test.each([
    ['one tells nothing', undefined, undefined],
    ['one tells a part', { total_tokens: 1 }, { total_tokens: 8 }],
    [
      'one has no details',
      { ...usage, input_tokens_details: undefined },
      { input_tokens: 6, output_tokens: 8, total_tokens: 14 },
    ],
    [
      'one tells a part of the details',
      { input_tokens_details: { text_tokens: 9 } },
      { input_tokens_details: { text_tokens: 10 } },
    ],
    ['one has a number for details', { input_tokens_details: 5 }, undefined],
    ['the sum is beyond all whole numbers', { total_tokens: Number.MAX_SAFE_INTEGER }, undefined],
  ])('leaves out what only one of them tells: %s', (_name, other, sum) => {
    expect(sumUsage(usage, other)).toEqual(sum);
    expect(sumUsage(other, usage)).toEqual(sum);
  });
});
