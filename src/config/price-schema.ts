import { z } from 'zod';
import { isExactPrice } from '../domain/cost.ts';
import type { PriceList } from '../domain/price.ts';

const price = z.number().min(0).max(1_000_000).refine(isExactPrice, 'must have six decimals at most');
const perMillion = (what: string) => price.exactOptional().describe(`Price of a million tokens of ${what}`);
const word = z.string().min(1).max(64).exactOptional();

/** What calls cost: by tokens, or by images. Nothing is known of what is left out. */
export const priceSchema = z
  .strictObject({
    textIn: perMillion('text that is read'),
    imageIn: perMillion('images that are read'),
    cachedTextIn: perMillion('text that had been read before'),
    cachedImageIn: perMillion('images that had been read before'),
    textOut: perMillion('text that is written'),
    imageOut: perMillion('images that are made'),
    images: z
      .array(
        z.strictObject({
          size: word.describe('Images of this size only'),
          quality: word.describe('Images of this quality only'),
          price: price.describe('Price of one image'),
        }),
      )
      .min(1)
      .max(200)
      .exactOptional()
      .describe('Instead of prices of tokens: prices of images; the first entry counts that fits'),
  })
  .refine(({ images, ...tokens }) => images === undefined || Object.keys(tokens).length === 0, {
    error: 'excludes prices of tokens',
    path: ['images'],
  }) satisfies z.ZodType<PriceList>;

/** The code of a currency, as ISO 4217 has it. */
export const currencySchema = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be the code of a currency, such as USD')
  .default('USD')
  .describe('The currency of all prices; nothing is converted');
