import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costAsText } from '../../src/domain/cost.ts';
import type { PriceList } from '../../src/domain/price.ts';
import { type Billed, costOf } from '../../src/generations/billing.ts';

const none = { textIn: 0, imageIn: 0, cachedIn: 0, textOut: 0, imageOut: 0 };
const tokenPrices: PriceList = {
  textIn: 5,
  imageIn: 8,
  cachedTextIn: 1.25,
  cachedImageIn: 2,
  textOut: 10,
  imageOut: 30,
};

function cost(price: PriceList, billed: Partial<Billed>): string | undefined {
  const known = costOf(price, { images: 1, facts: {}, tokens: undefined, ...billed });
  return known === undefined ? undefined : costAsText(known);
}

describe('the cost by tokens', () => {
  test.each([
    ['text and an image', { textIn: 100, imageOut: 4000 }, '0.1205'],
    ['images that were read', { textIn: 100, imageIn: 1000, imageOut: 4000 }, '0.1285'],
    ['text that was made', { textIn: 100, textOut: 1, imageOut: 4000 }, '0.12051'],
    ['text that had been read before', { textIn: 100, cachedIn: 40, imageOut: 4000 }, '0.12035'],
    ['images that had been read before', { imageIn: 100, cachedIn: 100, imageOut: 0 }, '0.0002'],
    ['everything that had been read before', { textIn: 60, imageIn: 40, cachedIn: 100 }, '0.000155'],
    ['a part of it, of which nobody says what it was', { textIn: 60, imageIn: 40, cachedIn: 50 }, undefined],
    ['nothing', {}, '0'],
  ])('of %s', (_, tokens, expected) => {
    expect(cost(tokenPrices, { tokens: { ...none, ...tokens } })).toBe(expected);
  });

  test('is not known without tokens', () => {
    expect(cost(tokenPrices, {})).toBeUndefined();
  });

  test.each(['textIn', 'imageIn', 'cachedTextIn', 'textOut', 'imageOut'] as const)(
    'is not known where %s has no price, and known where no such tokens were counted',
    (missing) => {
      const { [missing]: _, ...prices } = tokenPrices;
      const counted = missing === 'cachedTextIn' ? { textIn: 1, cachedIn: 1 } : { [missing]: 1 };
      expect(cost(prices, { tokens: { ...none, ...counted } })).toBeUndefined();
      expect(cost(prices, { tokens: none })).toBe('0');
    },
  );

  test('of two calls is that of their sums', () => {
    const tokens = fc.record({
      textIn: fc.nat(),
      imageIn: fc.nat(),
      cachedIn: fc.constant(0),
      textOut: fc.nat(),
      imageOut: fc.nat(),
    });
    fc.assert(
      fc.property(tokens, tokens, (one, other) => {
        const sum = {
          textIn: one.textIn + other.textIn,
          imageIn: one.imageIn + other.imageIn,
          cachedIn: 0,
          textOut: one.textOut + other.textOut,
          imageOut: one.imageOut + other.imageOut,
        };
        const [first = 0n, second = 0n, both] = [one, other, sum].map((counted) =>
          costOf(tokenPrices, { images: 1, facts: {}, tokens: counted }),
        );
        expect(first + second).toBe(both);
      }),
    );
  });
});

describe('the cost by images', () => {
  const price: PriceList = {
    images: [
      { size: '1024x1024', quality: 'standard', price: 0.04 },
      { size: '1024x1024', quality: 'hd', price: 0.08 },
      { quality: 'hd', price: 0.12 },
    ],
  };

  test.each([
    ['the first entry', { size: '1024x1024', quality: 'standard' }, '0.08'],
    ['the second entry', { size: '1024x1024', quality: 'hd' }, '0.16'],
    ['an entry for any size', { size: '1792x1024', quality: 'hd' }, '0.24'],
    ['no entry', { size: '1792x1024', quality: 'standard' }, undefined],
    ['a quality that decides, without the size', { quality: 'low' }, undefined],
    ['a size that is not known, where it matters', { quality: 'hd' }, undefined],
    ['a quality that is not known', { size: '1024x1024' }, undefined],
    ['nothing that is known', {}, undefined],
  ])('of two images with %s', (_, facts, expected) => {
    expect(cost(price, { images: 2, facts })).toBe(expected);
  });

  test('that are all the same needs no facts, nor tokens', () => {
    expect(cost({ images: [{ price: 0.011 }] }, { images: 10 })).toBe('0.11');
  });

  test('is not known from an empty price', () => {
    expect(cost({}, {})).toBeUndefined();
  });
});
