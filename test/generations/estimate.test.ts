import { expect, test } from 'vitest';
import type { PriceList } from '../../src/domain/price.ts';
import { estimateImage } from '../../src/generations/estimate.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';

type Asked = { readonly size?: string; readonly quality?: string };

/** A target with this price, and what it is asked for. */
function candidate(images: PriceList['images'] | undefined, asked: Asked = {}, model = 'gpt-image-1', isAgent = false) {
  const family = { ...modelFamily(model), agentDecides: isAgent };
  const price = { currency: 'USD', ...(images && { images }) };
  return { target: { price, family }, adapted: { legs: [asked] } } as unknown as Parameters<typeof estimateImage>[0][0];
}

const list = [{ size: '1024x1024', quality: 'low', price: 0.01 }, { quality: 'high', price: 0.2 }, { price: 0.05 }];
const maximum = { maxImageCost: 1_000_000, amount: 9_000_000 };

test.each([
  ['the entry that applies for sure', [candidate(list, { size: '1024x1024', quality: 'low' })], 10_000],
  ['a later one where the first does not apply', [candidate(list, { size: '512x512', quality: 'low' })], 50_000],
  ['the highest that may apply where the quality is not known', [candidate(list, { size: '512x512' })], 200_000],
  ['the same where the model chooses', [candidate(list, { size: 'auto', quality: 'auto' })], 200_000],
  ['the default of the family', [candidate([{ quality: 'hd', price: 0.2 }, { price: 0.08 }], {}, 'dall-e-3')], 80_000],
  [
    'the highest where an agent decides',
    [candidate(list, { size: '1024x1024', quality: 'low' }, undefined, true)],
    200_000,
  ],
  ['the most expensive target', [candidate([{ price: 0.01 }]), candidate([{ price: 0.03 }])], 30_000],
  ['the configured maximum without a price', [candidate([{ price: 0.01 }]), candidate(undefined)], 1_000_000],
  [
    'the configured maximum where no entry may apply',
    [candidate([{ quality: 'high', price: 0.2 }], { quality: 'low' })],
    1_000_000,
  ],
])('an image costs at most %s', (_, candidates, expected) => {
  expect(estimateImage(candidates, maximum)).toBe(expected);
});

test('without a maximum, an image whose price is not known may cost the whole budget', () => {
  expect(estimateImage([candidate(undefined)], { maxImageCost: undefined, amount: 9_000_000 })).toBe(9_000_000);
});
