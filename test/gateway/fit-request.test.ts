import { describe, expect, test } from 'vitest';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { fitRequest, withDefaults } from '../../src/gateway/fit-request.ts';
import { modelFamily } from '../../src/gateway/model-families.ts';

const plain: ImageRequest = {
  prompt: 'a cat',
  count: 1,
  size: undefined,
  quality: undefined,
  background: undefined,
  outputFormat: undefined,
  outputCompression: undefined,
  moderation: undefined,
  style: undefined,
  user: undefined,
  delivery: undefined,
  stream: false,
  partialImages: 0,
  extra: {},
};
const fitFor = (model: string, asked: Partial<ImageRequest>) => fitRequest({ ...plain, ...asked }, modelFamily(model));

describe('fitRequest', () => {
  test.each([
    ['dall-e-2', 1_000],
    ['dall-e-3', 4_000],
    ['gpt-image-1', 32_000],
    ['GPT-Image-2-2026-04-21', 32_000],
    ['chatgpt-image-latest', 32_000],
    ['some-new-model', 32_000],
  ])('lets %s have a prompt of %d characters, and refuses one more', (model, limit) => {
    expect(fitFor(model, { prompt: 'x'.repeat(limit) }).upstream.prompt).toHaveLength(limit);
    expect(() => fitFor(model, { prompt: 'x'.repeat(limit + 1) })).toThrow(
      expect.objectContaining({ param: 'prompt' }),
    );
  });

  test.each([
    ['dall-e-2', 5],
    ['dall-e-3', 1],
    ['gpt-image-2', 10],
  ])('lets %s make %d pictures, and refuses one more', (model, count) => {
    expect(fitFor(model, { count }).upstream.count).toBe(count);
    expect(() => fitFor(model, { count: count + 1 })).toThrow(
      expect.objectContaining({ kind: 'invalid_value', param: 'n' }),
    );
  });

  test('absorbs response_format b64_json where base64 comes anyway, and reports nothing', () => {
    const { upstream, adaptations } = fitFor('gpt-image-2', { delivery: 'b64_json' });
    expect([upstream.delivery, adaptations]).toEqual([undefined, []]);
  });

  test('refuses response_format url where the family gives base64 only', () => {
    const refused = expect.objectContaining({ kind: 'unsupported_parameter', param: 'response_format' });
    expect(() => fitFor('gpt-image-2', { delivery: 'url' })).toThrow(refused);
  });

  test('satisfies response_format b64_json of the legacy flow by downloading, and reports it', () => {
    const { upstream, adaptations } = fitFor('dall-e-2', { delivery: 'b64_json' });
    expect([upstream.delivery, adaptations]).toEqual([undefined, ['delivery=b64_json']]);
  });

  test.each(['dall-e-3', 'some-new-model'])('leaves response_format to %s, which may know both', (model) => {
    expect(fitFor(model, { delivery: 'url' }).upstream.delivery).toBe('url');
  });

  test.each([
    [{ style: 'vivid' }, 'style'],
    [{ outputFormat: 'png' }, 'output_format'],
    [{ quality: 'hd' }, 'quality'],
    [{ extra: { seed: 1 } }, 'seed'],
  ])('refuses %j by its wire name for a family that has no such parameter', (asked, param) => {
    expect(() => fitFor('dall-e-2', asked)).toThrow(expect.objectContaining({ kind: 'unsupported_parameter', param }));
  });
});

describe('withDefaults', () => {
  test('fills in what the caller left out, and nothing else', () => {
    const asked = withDefaults({ ...plain, size: '1024x1024' }, { size: '512x512', quality: 'medium' });
    expect(asked).toEqual({ ...plain, size: '1024x1024', quality: 'medium' });
  });
});
