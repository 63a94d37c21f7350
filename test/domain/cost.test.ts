import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costAsNumber, costAsText, costOfImages, costOfTokens, isExactPrice } from '../../src/domain/cost.ts';

/** A price with six decimals at most, from its millionths. */
const price = fc.integer({ min: 0, max: 1_000_000_000_000 }).map((millionths) => ({
  millionths: BigInt(millionths),
  price: millionths / 1e6,
}));
const count = fc.integer({ min: 0, max: 1_000_000_000 });

describe('a cost', () => {
  test('of tokens is exact: their number times the price, to the last digit', () => {
    fc.assert(
      fc.property(price, count, ({ price, millionths }, tokens) => {
        expect(costOfTokens(price, tokens)).toBe(millionths * BigInt(tokens));
      }),
    );
  });

  test('of an image is that of a million tokens at the same price', () => {
    fc.assert(
      fc.property(price, count, ({ price }, images) => {
        expect(costOfImages(price, images)).toBe(costOfTokens(price, 1_000_000) * BigInt(images));
      }),
    );
  });

  test('of many requests is the sum of each, in any order, where floating point drifts', () => {
    let exact = 0n;
    let drifting = 0;
    for (let request = 0; request < 100_000; request += 1) {
      exact += costOfImages(0.07, 1);
      drifting += 0.07;
    }
    expect(costAsText(exact)).toBe('7000');
    expect(costAsNumber(exact)).toBe(7000);
    expect(drifting).not.toBe(7000);
  });

  test('as text and as a number is the decimal fraction that it is', () => {
    fc.assert(
      fc.property(price, fc.integer({ min: 0, max: 1000 }), ({ price }, tokens) => {
        const cost = costOfTokens(price, tokens);
        const text = costAsText(cost);
        expect(text).toMatch(/^\d+(\.\d*[1-9])?$/);
        const [whole = '', decimals = ''] = text.split('.');
        expect(BigInt(whole + decimals.padEnd(12, '0'))).toBe(cost);
        expect(costAsNumber(cost)).toBe(Number(text));
      }),
    );
  });

  test.each([
    [0n, '0', 0],
    [1n, '0.000000000001', 1e-12],
    [costOfImages(0.04, 1), '0.04', 0.04],
    [costOfTokens(2.5, 4160) + costOfTokens(5, 12), '0.01046', 0.01046],
    [costOfImages(1.1, 3), '3.3', 3.3],
  ])('%s is written %s', (cost, text, number) => {
    expect(costAsText(cost)).toBe(text);
    expect(costAsNumber(cost)).toBe(number);
  });
});

test('a price is exact with six decimals, and not with more', () => {
  fc.assert(fc.property(price, ({ price }) => isExactPrice(price)));
  expect([0.0000001, 1.23456789, 1 / 3, Number.NaN, Number.POSITIVE_INFINITY].map(isExactPrice)).toEqual(
    new Array(5).fill(false),
  );
});
