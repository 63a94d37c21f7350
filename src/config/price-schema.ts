import { z } from 'zod';
import { isExactPrice } from '../domain/cost.ts';
import type { PriceList } from '../domain/price.ts';

const price = z.number().min(0).max(1_000_000).refine(isExactPrice, 'must have at most six decimals');
const perMillion = (what: string) => price.exactOptional().describe(`Price per million ${what} tokens`);
const word = z.string().min(1).max(64).exactOptional();

const perImage = z
  .array(
    z.strictObject({
      size: word.describe('Only for images of this size'),
      quality: word.describe('Only for images of this quality'),
      price: price.describe('Price per image'),
    }),
  )
  .min(1)
  .max(200)
  .exactOptional();

/** Prices of calls, per token or per image. What is left out is unknown, not free. */
export const priceSchema = z
  .strictObject({
    textIn: perMillion('text input'),
    imageIn: perMillion('image input'),
    cachedTextIn: perMillion('cached text input'),
    cachedImageIn: perMillion('cached image input'),
    textOut: perMillion('text output'),
    imageOut: perMillion('image output'),
    images: perImage.describe('Prices per image instead of per token; the first matching entry applies'),
    pictures: perImage.describe('The old name of `images`'),
  })
  .refine(({ images, pictures, ...tokens }) => Object.keys(tokens).length === 0 || !(images ?? pictures), {
    error: 'cannot be combined with token prices',
    path: ['images'],
  })
  .refine(({ images, pictures }) => !(images && pictures), {
    error: 'is the old name of `images`',
    path: ['pictures'],
  });

/** Prices under the names of today. */
export function priceList({ pictures, ...prices }: z.output<typeof priceSchema>): PriceList {
  return pictures === undefined ? prices : { ...prices, images: pictures };
}

/** An ISO 4217 currency code. */
export const currencySchema = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 currency code such as USD')
  .default('USD')
  .describe('The currency of all prices; nothing is converted');
