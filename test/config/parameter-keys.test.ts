// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { messagesOf, parse, v1Target } from './example-models.ts';

const schema = z.fromJSONSchema(JSON.parse(readFileSync('config/models.schema.json', 'utf8')));
const shortForm = (keys: Record<string, unknown>) => ({ models: { poster: { ...v1Target, ...keys } } });
const longForm = (model: Record<string, unknown>, target: Record<string, unknown> = {}) => ({
  models: { poster: { ...model, targets: [{ ...v1Target, ...target }] } },
});

const capabilities = {
  promptCharacters: 4000,
  maxCount: 1,
  streams: false,
  maxStreamedCount: 1,
  sizes: ['auto', '1024x1024', 'WxH'],
  qualities: [],
  backgrounds: 'any',
  outputFormats: ['png', 'webp'],
  compressionFormats: ['webp'],
  moderations: ['auto'],
  styles: ['vivid'],
  responseFormats: ['b64_json'],
  seed: 'supported',
  extraParameters: false,
};

describe('the keys about parameters', () => {
  test.each([
    ['the short form', shortForm],
    [
      'the long form',
      ({ upstreamStream, capabilities, ...model }: Record<string, unknown>) =>
        longForm(model, { upstreamStream, capabilities }),
    ],
  ])('are read from %s, and known to editors', (_, form) => {
    const keys = { parameters: 'strict', partialSuccess: 'deliver', upstreamStream: 'always', capabilities };
    const file = form(keys);
    const [model] = parse(file).models;
    expect(model).toMatchObject({ parameters: 'strict', partialSuccess: 'deliver' });
    expect(model?.targets).toMatchObject([{ upstreamStream: 'always', capabilities }]);
    expect(Object.isFrozen(model?.targets[0]?.capabilities.sizes)).toBe(true);
    expect(schema.safeParse(file).success).toBe(true);
  });

  test('may be left out: adapt, all or nothing, no forced stream, the family as it is', () => {
    const [model] = parse(shortForm({})).models;
    expect(model).toMatchObject({ parameters: 'adapt', targets: [{ upstreamStream: 'never', capabilities: {} }] });
    expect(model).not.toHaveProperty('partialSuccess');
  });

  test('may come from variables', () => {
    const [model] = parse(shortForm({ parameters: '${POLICY:-pass}' })).models;
    expect(model?.parameters).toBe('pass');
  });
});

describe('mistakes in them', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ parameters: 'lenient' }, 'parameters: must be one of adapt, strict, pass'],
    [{ parameters: null }, 'parameters: must be one of adapt, strict, pass'],
    [{ parameter: 'adapt' }, 'parameter: unknown key `parameter`, did you mean `parameters`?'],
    [{ partialSuccess: 'fail' }, 'partialSuccess: must be one of deliver'],
    [{ upstreamStream: true }, 'upstreamStream: must be one of never, always'],
    [{ capabilities: [] }, 'capabilities: must be an object'],
    [{ capabilities: { size: [] } }, 'capabilities.size: unknown key `size`, did you mean `sizes`?'],
    [{ capabilities: { defaults: {} } }, 'capabilities.defaults: unknown key `defaults`'],
    [{ capabilities: { maxCount: 0 } }, 'capabilities.maxCount: must be at least 1'],
    [{ capabilities: { maxCount: 11 } }, 'capabilities.maxCount: must be at most 10'],
    [{ capabilities: { streams: 'no' } }, 'capabilities.streams: must be true or false'],
    [{ capabilities: { qualities: 'all' } }, 'capabilities.qualities: must be a list of values, or "any"'],
    [{ capabilities: { qualities: [1] } }, 'capabilities.qualities: must be a list of values, or "any"'],
    [{ capabilities: { sizes: ['big'] } }, 'capabilities.sizes[0]: must be a size such as 1024x1024, auto, or WxH'],
    [{ capabilities: { responseFormats: ['png'] } }, 'capabilities.responseFormats[0]: must be one of url, b64_json'],
    [{ capabilities: { seed: true } }, 'capabilities.seed: must be one of supported, undocumented, refused'],
  ])('%j is refused', (keys, message) => {
    expect(messagesOf(shortForm(keys))).toEqual([`models.poster.${message}`]);
    expect(schema.safeParse(shortForm(keys)).success).toBe(false);
  });

  test('keys on the wrong level are told the right one', () => {
    expect(messagesOf(longForm({ upstreamStream: 'always', capabilities: {} }, { parameters: 'adapt' }))).toEqual([
      'models.poster.upstreamStream: unknown key `upstreamStream`: in a model with `targets` it belongs into each target',
      'models.poster.capabilities: unknown key `capabilities`: in a model with `targets` it belongs into each target',
      'models.poster.targets[0].parameters: unknown key `parameters`: it belongs to the model, beside `targets`',
    ]);
  });
});
