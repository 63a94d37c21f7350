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
  operations: ['generate'],
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
  inputFidelities: ['low'],
  maxInputs: 16,
  markup: true,
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
    [{ capabilities: { qualities: [1] } }, 'capabilities.qualities[0]: must be a string'],
    [{ capabilities: { sizes: ['big'] } }, 'capabilities.sizes[0]: must be a size such as 1024x1024, auto, or WxH'],
    [{ capabilities: { responseFormats: ['png'] } }, 'capabilities.responseFormats[0]: must be one of url, b64_json'],
    [{ capabilities: { operations: [] } }, 'capabilities.operations: must not be empty'],
    [{ capabilities: { operations: 'edit' } }, 'capabilities.operations: must be a list'],
    [{ capabilities: { operations: ['edits'] } }, 'capabilities.operations[0]: must be one of generate, edit'],
    [{ capabilities: { operations: 'any' } }, 'capabilities.operations: must be a list'],
    [
      { capabilities: { operation: ['edit'] } },
      'capabilities.operation: unknown key `operation`, did you mean `operations`?',
    ],
    [{ capabilities: { inputFidelities: 'high' } }, 'capabilities.inputFidelities: must be a list of values, or "any"'],
    [{ capabilities: { inputFidelities: [''] } }, 'capabilities.inputFidelities[0]: must not be empty'],
    [{ capabilities: { maxInputs: 0 } }, 'capabilities.maxInputs: must be at least 1'],
    [{ capabilities: { maxInputs: 17 } }, 'capabilities.maxInputs: must be at most 16'],
    [{ capabilities: { maxInputs: 1.5 } }, 'capabilities.maxInputs: must be a whole number'],
    [{ capabilities: { markup: 'yes' } }, 'capabilities.markup: must be true or false'],
    [{ capabilities: { seed: true } }, 'capabilities.seed: must be one of supported, undocumented, refused'],
  ])('%j is refused', (keys, message) => {
    expect(messagesOf(shortForm(keys))).toEqual([`models.poster.${message}`]);
    expect(schema.safeParse(shortForm(keys)).success).toBe(false);
  });

  test('keys on the wrong level are told the right one', () => {
    expect(messagesOf(longForm({ upstreamStream: 'always', capabilities: {} }, { parameters: 'adapt' }))).toEqual([
      'models.poster.upstreamStream: unknown key `upstreamStream`: in a model with `targets` it belongs in each target',
      'models.poster.capabilities: unknown key `capabilities`: in a model with `targets` it belongs in each target',
      'models.poster.targets[0].parameters: unknown key `parameters`: it belongs to the model, beside `targets`',
    ]);
  });
});

describe('what edits may upload', () => {
  const upload = (keys: Record<string, unknown>) => ({ ...shortForm({}), ...keys });

  test('is 200 MB and no links, when nothing is said', () => {
    expect(parse(upload({}))).toMatchObject({ uploadBytes: 200_000_000, imageUrls: 'refuse' });
    expect(parse(upload({ limits: { drainMs: 0 } }))).toMatchObject({ uploadBytes: 200_000_000, drainMs: 0 });
  });

  test.each([
    [
      { limits: { uploadBytes: 1_000_000 }, imageUrls: 'download' },
      { uploadBytes: 1_000_000, imageUrls: 'download' },
    ],
    [
      { limits: { uploadBytes: 1_000_000_000 }, imageUrls: 'refuse' },
      { uploadBytes: 1_000_000_000, imageUrls: 'refuse' },
    ],
  ])('is what %j says, and editors know it', (keys, expected) => {
    expect(parse(upload(keys))).toMatchObject(expected);
    expect(schema.safeParse(upload(keys)).success).toBe(true);
  });

  test('may come from a variable', () => {
    expect(parse(upload({ imageUrls: '${LINKS:-download}' })).imageUrls).toBe('download');
  });

  test.each<[Record<string, unknown>, string]>([
    [{ limits: { uploadBytes: 999_999 } }, 'limits.uploadBytes: must be at least 1000000'],
    [{ limits: { uploadBytes: 1_000_000_001 } }, 'limits.uploadBytes: must be at most 1000000000'],
    [{ limits: { uploadBytes: '200MB' } }, 'limits.uploadBytes: must be a number'],
    [{ limits: { uploadBytes: null } }, 'limits.uploadBytes: must be a number'],
    [{ limits: { uploadByte: 1 } }, 'limits.uploadByte: unknown key `uploadByte`, did you mean `uploadBytes`?'],
    [{ imageUrls: true }, 'imageUrls: must be one of refuse, download'],
    [{ imageUrls: 'allow' }, 'imageUrls: must be one of refuse, download'],
    [{ imageURLs: 'download' }, 'imageURLs: unknown key `imageURLs`, did you mean `imageUrls`?'],
  ])('%j is refused', (keys, message) => {
    expect(messagesOf(upload(keys))).toEqual([message]);
    expect(schema.safeParse(upload(keys)).success).toBe(false);
  });
});

describe('what the image store holds', () => {
  const limited = (limits: Record<string, unknown>) => ({ ...shortForm({}), limits });

  test.each([
    [{}, { keepHours: 24 }],
    [{ keepHours: 1 }, { keepHours: 1 }],
    [
      { keepHours: 720, storeBytes: 100_000_000 },
      { keepHours: 720, storeBytes: 100_000_000 },
    ],
    [{ storeBytes: 9_000_000_000_000 }, { keepHours: 24, storeBytes: 9_000_000_000_000 }],
  ])('is what the limits %j say, and editors know it', (limits, expected) => {
    expect(parse(limited(limits)).storeLimits).toEqual(expected);
    expect(schema.safeParse(limited(limits)).success).toBe(true);
  });

  test.each<[Record<string, unknown>, string]>([
    [{ keepHours: 0 }, 'limits.keepHours: must be at least 1'],
    [{ keepHours: 721 }, 'limits.keepHours: must be at most 720'],
    [{ keepHours: 1.5 }, 'limits.keepHours: must be a whole number'],
    [{ storeBytes: 99_999_999 }, 'limits.storeBytes: must be at least 100000000'],
    [{ storeBytes: '5GB' }, 'limits.storeBytes: must be a number'],
  ])('the limits %j are refused', (limits, message) => {
    expect(messagesOf(limited(limits))).toEqual([message]);
    expect(schema.safeParse(limited(limits)).success).toBe(false);
  });
});
