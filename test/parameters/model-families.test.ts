import { expect, test } from 'vitest';
import { modelFamily } from '../../src/parameters/model-families.ts';

test.each([
  ['dall-e-2', 'dall-e-2'],
  ['DALL-E-3', 'dall-e-3'],
  ['gpt-image-1', 'gpt-image-1'],
  ['gpt-image-1-mini', 'gpt-image-1-mini'],
  ['gpt-image-1.5', 'gpt-image-1.5'],
  ['GPT-Image-2-2026-04-21', 'gpt-image-2'],
  ['gpt-image-2.5-flare-2026-09-08', 'gpt-image-2.5'],
  ['gpt-image-2.6-sunburst', 'gpt-image-2.6'],
  ['gpt-image-9', 'gpt-image'],
  ['chatgpt-image-latest', 'chatgpt-image'],
  ['MAI-Image-2.6-Flash', 'mai-image-2.6'],
  ['MAI-Image-2.5', 'mai-image'],
  ['FLUX-1.1-pro', 'flux-1.1'],
  ['FLUX.1-Kontext-pro', 'flux.1-kontext'],
  ['FLUX.2-flex', 'flux.2-flex'],
  ['FLUX.2-new', 'flux.2'],
  ['FLUX.9', 'flux'],
  ['some-new-model', 'any other model'],
  ['my-gpt-image-1', 'any other model'],
])('%s is of the family %s', (model, name) => {
  expect(modelFamily(model).name).toBe(name);
});

test('what the operator says about a target wins over the table, and nothing else changes', () => {
  const family = modelFamily('gpt-image-2', { maxCount: 1, sizes: ['1024x1024'] });
  expect(family).toEqual({ ...modelFamily('gpt-image-2'), maxCount: 1, sizes: ['1024x1024'] });
});
