import { describe, expect, test } from 'vitest';
import { listPrices } from '../../src/config/list-prices.ts';
import { priceOf } from '../../src/config/models-config.ts';
import type { ConfigError } from '../../src/config/problems.ts';
import { modelFamily, unknownFamily } from '../../src/parameters/model-families.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { v1Target } from './example-models.ts';

const parse = (file: object) => parseModels(JSON.stringify({ models: { poster: v1Target }, ...file }), {});

function problems(file: object): string[] {
  try {
    parse(file);
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

/** The price of the only target. */
function price(file: object, own: object = {}): unknown {
  const config = parse({ models: { poster: { ...v1Target, model: 'gpt-image-1', ...own } }, ...file });
  const [target] = config.models[0]?.targets ?? [];
  return target && priceOf(target, config);
}

describe('the price of a target', () => {
  test('is that of its family, in the currency of the file', () => {
    const prices = { 'GPT-Image-1': { textIn: 5, imageOut: 40 }, 'gpt-image-1-mini': { imageOut: 8 } };
    expect(price({ prices })).toEqual({ currency: 'USD', textIn: 5, imageOut: 40 });
    expect(price({ prices, currency: 'EUR' })).toMatchObject({ currency: 'EUR' });
  });

  test('is its own, if it has one', () => {
    const own = { price: { images: [{ price: 0.04 }] } };
    expect(price({ prices: { 'gpt-image-1': { textIn: 5 } } }, own)).toEqual({ currency: 'USD', ...own.price });
  });

  test('is not that of a family whose name only begins alike', () => {
    expect(price({ prices: { 'gpt-image-1-mini': { imageOut: 8 }, 'gpt-image': { imageOut: 9 } } })).toBeUndefined();
  });
});

describe('list prices', () => {
  const of = (model: string, own: object = {}) => price({ prices: 'list' }, { model, ...own });

  test('are those of the model, as estimates', () => {
    const expected = { currency: 'USD', isEstimate: true, textIn: 5, imageIn: 8, imageOut: 30 };
    expect(of('gpt-image-2')).toMatchObject(expected);
    expect(of('GPT-Image-2-2026-04-21')).toMatchObject(expected);
    expect(of('FLUX.1-Kontext-pro')).toEqual({ currency: 'USD', isEstimate: true, images: [{ price: 0.04 }] });
  });

  test('yield to the price of a target, which is no estimate', () => {
    expect(of('gpt-image-2', { price: { imageOut: 20 } })).toEqual({ currency: 'USD', imageOut: 20 });
  });

  test.each(['gpt-image-22', 'my-model', 'FLUX.2-pro', 'constructor'])('are unknown of %s', (model) => {
    expect(of(model)).toBeUndefined();
  });

  test('are off by default', () => expect(price({}, { model: 'gpt-image-2' })).toBeUndefined());

  test('are in dollars', () => {
    expect(problems({ prices: 'list', currency: 'EUR' })).toEqual([
      'currency: must be USD: list prices are in dollars',
    ]);
  });

  test.each([['all'], [5], [['list']]])('cannot be %s', (prices) => {
    expect(problems({ prices })).toEqual(['prices: must be "list", or an object']);
  });

  test.each(Object.entries(listPrices))(
    'of %s are valid prices, which Azure publishes',
    (model, { publishedAt, ...prices }) => {
      expect(problems({ prices: { [model]: prices } })).toEqual([]);
      expect(new URL(publishedAt).hostname).toMatch(/(?:^|\.)azure\.(?:microsoft\.)?com$/);
      expect(modelFamily(model).name).not.toBe(unknownFamily.name);
    },
  );
});

describe('a price that makes no sense is named:', () => {
  const at = (entry: unknown) => problems({ prices: { 'gpt-image-1': entry } });

  test.each([
    ['a negative one', { textIn: -1 }, 'prices.gpt-image-1.textIn: must be at least 0'],
    ['text', { textIn: '5' }, 'prices.gpt-image-1.textIn: must be a number'],
    ['too many decimals', { textIn: 0.0000001 }, 'prices.gpt-image-1.textIn: must have at most six decimals'],
    [
      'a key that is not known',
      { textin: 1 },
      'prices.gpt-image-1.textin: unknown key `textin`, did you mean `textIn`?',
    ],
    [
      'images beside tokens',
      { textIn: 1, images: [{ price: 1 }] },
      'prices.gpt-image-1.images: cannot be combined with token prices',
    ],
    ['an image without a price', { images: [{ size: '1x1' }] }, 'prices.gpt-image-1.images[0].price: is required'],
    ['no images', { images: [] }, 'prices.gpt-image-1.images: must not be empty'],
  ])('%s', (_, entry, problem) => {
    expect(at(entry)).toEqual([problem]);
  });

  test('of a target', () => {
    const models = { poster: { ...v1Target, price: { imageout: 1 } } };
    expect(problems({ models })).toEqual([
      'models.poster.price.imageout: unknown key `imageout`, did you mean `imageOut`?',
    ]);
  });

  test('a currency that is none', () => {
    expect(problems({ currency: 'dollars' })).toEqual(['currency: must be an ISO 4217 currency code such as USD']);
  });
});

describe('the old name of prices per image', () => {
  const list = [{ price: 0.04 }];

  test('is understood, for models and for targets', () => {
    const models = parse({
      prices: { 'gpt-image-2': { pictures: list } },
      models: { poster: { ...v1Target, price: { pictures: list } } },
    });
    expect([models.prices.get('gpt-image-2'), models.models[0]?.targets[0]?.price]).toEqual([
      { images: list },
      { images: list },
    ]);
  });

  test('is refused beside the new one', () => {
    const both = { images: list, pictures: list };
    expect(() => parse({ prices: { 'gpt-image-2': both } })).toThrow('pictures (line 1): is the old name of `images`');
  });
});
