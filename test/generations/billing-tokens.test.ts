import { describe, expect, test } from 'vitest';
import { readTokens } from '../../src/generations/billing.ts';

const generation = { isEdit: false };
const none = { textIn: 0, imageIn: 0, cachedIn: 0, textOut: 0, imageOut: 0 };

describe('tokens', () => {
  test('as OpenAI documents them', () => {
    const usage = {
      total_tokens: 100,
      input_tokens: 50,
      output_tokens: 50,
      input_tokens_details: { text_tokens: 10, image_tokens: 40, cached_tokens: 8 },
      output_tokens_details: { image_tokens: 45, text_tokens: 5 },
    };
    const tokens = { textIn: 10, imageIn: 40, cachedIn: 8, textOut: 5, imageOut: 45 };
    expect(readTokens(usage, { isEdit: true })).toEqual(tokens);
  });

  test('of an answer without details are images', () => {
    const usage = { input_tokens: 7, output_tokens: 50, input_tokens_details: { text_tokens: 7, image_tokens: 0 } };
    expect(readTokens(usage, generation)).toEqual({ ...none, textIn: 7, imageOut: 50 });
  });

  test('of a request without details are text, unless there were images to read', () => {
    const usage = { input_tokens: 7, output_tokens: 50 };
    expect(readTokens(usage, generation)).toEqual({ ...none, textIn: 7, imageOut: 50 });
    expect(readTokens(usage, { isEdit: true })).toBeUndefined();
  });

  test.each([
    ['nothing', undefined],
    ['an empty object', {}],
    ['no output', { input_tokens: 5 }],
    ['text', { input_tokens: '5', output_tokens: 5 }],
    ['negative numbers', { input_tokens: -5, output_tokens: 5 }],
    ['fractions', { input_tokens: 5, output_tokens: 0.5 }],
    ['numbers that are too large', { input_tokens: 5, output_tokens: 1e300 }],
    ['details without images', { input_tokens: 5, output_tokens: 5, output_tokens_details: { text_tokens: 5 } }],
    ['more cached than read', { input_tokens: 5, output_tokens: 5, input_tokens_details: { cached_tokens: 9 } }],
  ])('that are %s are not known', (_, usage) => {
    expect(readTokens(usage, generation)).toBeUndefined();
  });

  test('are read past details that are no object', () => {
    const usage = { input_tokens: 5, output_tokens: 6, input_tokens_details: null, output_tokens_details: [] };
    expect(readTokens(usage, generation)).toEqual({ ...none, textIn: 5, imageOut: 6 });
  });
});
