import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { describeKeys } from '../../src/cli/check.ts';
import { parseKeys } from '../../src/config/load-keys.ts';
import { parse, problemsIn, v1Target } from './example-models.ts';

const keys = [{ sha256: hash('sha256', 'one', 'hex') }];
const priced = { ...v1Target, price: { images: [{ quality: 'high', price: 0.2 }, { price: 0.05 }] } };
const partly = { ...v1Target, price: { images: [{ quality: 'high', price: 0.2 }] } };
const tokens = { ...v1Target, price: { imageOut: 30 } };
const models = parse({ currency: 'EUR', models: { priced, partly, tokens, unpriced: v1Target } });
const amount = { amount: 250.5, currency: 'EUR', per: 'month' };

const read = (entry: object) =>
  parseKeys(JSON.stringify({ callers: { shop: { keys, ...entry } } }), { variables: {}, models }).consumers;
const problems = (entry: object) =>
  problemsIn(() => read(entry)).map(({ path, message }) => `${path}: ${message}`.replace(/^callers\.shop\./, ''));

describe('a budget in the keys file', () => {
  test('is counted in millionths of the currency', () => {
    const [shop] = read({ budget: { ...amount, per: 'day', soft: 0.8, maxImageCost: 0.000001 }, role: 'admin' });
    expect(shop).toMatchObject({
      budget: { amount: 250_500_000, currency: 'EUR', per: 'day', soft: 0.8, maxImageCost: 1 },
      isAdmin: true,
    });
  });

  test('is shown by `check`', () => {
    const shown = describeKeys(read({ models: ['priced'], budget: amount, role: 'admin' }));
    expect(shown).toBe('Consumers:\n  shop: key; models priced; 250.5 EUR per month; admin\n');
  });

  test('needs no maximum where every image has a price', () => {
    expect(read({ models: ['priced'], budget: amount })[0]?.budget).toMatchObject({ maxImageCost: undefined });
  });

  test.each(['partly', 'tokens', 'unpriced'])('needs a maximum for the model %s', (model) => {
    expect(problems({ models: ['priced', model], budget: amount })).toEqual([
      `budget.maxImageCost: is required: the model ${model} has a target without a price for every image, so its cost is not known before`,
    ]);
    expect(read({ models: ['priced', model], budget: { ...amount, maxImageCost: 1 } })).toHaveLength(1);
  });

  test('needs a maximum where the consumer may use all models', () => {
    expect(problems({ budget: amount })).toEqual([
      expect.stringMatching(/^budget\.maxImageCost: is required: the model partly/),
    ]);
  });

  test.each([
    ['another currency', { currency: 'USD' }, 'budget.currency: must be EUR, the `currency` of the models file'],
    ['nothing to spend', { amount: 0 }, 'budget.amount: must be more than 0'],
    ['too many decimals', { amount: 0.0000001 }, /^budget\.amount: must have at most six decimals/],
    ['another period', { per: 'week' }, /^budget\.per: /],
    ['a soft limit above the hard one', { soft: 1.1 }, /^budget\.soft: /],
    ['a soft limit of nothing', { soft: 0 }, /^budget\.soft: /],
    ['another key', { max: 1 }, /^budget/],
  ])('refuses %s', (_, changes, message) => {
    const found = problems({ models: ['priced'], budget: { ...amount, ...changes } });
    expect(found).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)]);
  });

  test('refuses another role', () => {
    expect(problems({ role: 'root' })).toEqual([expect.stringMatching(/^role: /)]);
  });
});
