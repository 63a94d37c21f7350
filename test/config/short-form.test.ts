// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { describe, expect, test } from 'vitest';
import { parseModels } from '../helpers/parse-models.ts';
import { deploymentTarget, messagesOf, parse, v1Target } from './example-models.ts';

const modelKeys = { timeoutMs: 5000, defaults: { size: 'auto' }, maxRetries: 0, onUnknownOutcome: 'retry' };

test('the short form is the long form with one target', () => {
  const target = { ...v1Target, name: 'east', priority: 3, headers: { 'x-key': 'secret' } };
  expect(parse({ models: { poster: { ...modelKeys, ...target } } }).models).toEqual(
    parse({ models: { poster: { ...modelKeys, targets: [target] } } }).models,
  );
});

test('both forms may stand beside each other', () => {
  const models = { poster: v1Target, banner: { targets: [v1Target, deploymentTarget] } };
  expect(parse({ models }).models.map(({ name, targets }) => [name, targets.length])).toEqual([
    ['poster', 1],
    ['banner', 2],
  ]);
});

describe('a problem of the short form points at what the operator wrote', () => {
  test.each<[object, string]>([
    [{ weight: 0 }, 'models.poster.weight: must be at least 1'],
    [{ headers: { host: 'x' } }, 'models.poster.headers.host: the gateway sets this header itself'],
    [
      { capabilities: { sizes: ['big'] } },
      'models.poster.capabilities.sizes[0]: must be a size such as 1024x1024, auto, or WxH',
    ],
    [{ price: { images: [{ price: -1 }] } }, 'models.poster.price.images[0].price: must be at least 0'],
    [{ auth: {} }, 'models.poster.auth: excludes `apiKey`: give one of the two'],
    [{ apiKey: '${NONE}' }, 'models.poster.apiKey: the environment variable NONE is unset or empty'],
    [{ headers: { 'x-key': '${' } }, 'models.poster.headers.x-key: '],
    [{ timeoutMs: 5 }, 'models.poster.timeoutMs: must be at least 1000'],
    [{ timeOut: 5000 }, 'models.poster.timeOut: unknown key `timeOut`, did you mean `timeoutMs`?'],
    [{ base_url: '' }, 'models.poster.base_url: unknown key `base_url`, did you mean `baseURL`?'],
    [{ hedging: true }, 'models.poster.hedging: unknown key `hedging`'],
  ])('%j', (keys, message) => {
    expect(messagesOf({ models: { poster: { ...v1Target, ...keys } } })[0]).toContain(message);
  });

  test('an empty model misses the keys of its target', () => {
    const paths = messagesOf({ models: { poster: {} } }).map((message) => message.split(':')[0]);
    expect(paths.sort()).toEqual(['apiKey', 'baseURL', 'model', 'provider'].map((key) => `models.poster.${key}`));
  });

  test('with its line, all at once, beside those of the long form', () => {
    const text = `{ "models": {
      "a": {
        "provider": "azure-v1", "model": "m", "baseURL": "https://a.example", "apiKey": "k",
        "apiKey": "k",
        "weight": 0,
        "maxRetries": 21 },
      "b": { "targets": [
        { "provider": "azure-v1", "model": "m", "baseURL": "https://a.example", "apiKey": "k",
          "weight": 0 }] } } }`;
    expect(() => parseModels(text, {}, 'models.json')).toThrow(`Problems in models.json:
  models.a.apiKey (line 4): duplicate key, already used on line 3
  models.a.weight (line 5): must be at least 1
  models.a.maxRetries (line 6): must be at most 20
  models.b.targets[0].weight (line 9): must be at least 1`);
  });

  test('warnings, too', () => {
    const review = {
      target: (_: unknown, warn: (key: string, message: string) => void) => warn('model', 'is odd'),
      defaults: () => {},
    };
    const text = JSON.stringify({ models: { a: v1Target, b: { targets: [v1Target] } } }, null, 1);
    const { warnings } = parseModels(text, {}, 'models.json', review);
    expect(warnings.map((warning) => /^models\.json: (\S+) \(line \d+\)/.exec(warning)?.[1])).toEqual([
      'models.a.model',
      'models.a.apiKey',
      'models.b.targets[0].model',
      'models.b.targets[0].apiKey',
    ]);
  });
});
