// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { ModelsConfig, TargetConfig } from '../../src/config/models-config.ts';
import { loadModels, parseModels } from '../helpers/parse-models.ts';
import {
  asyncTarget,
  deploymentTarget,
  messagesOf,
  parse,
  problemsIn,
  problemsOf,
  v1Target,
} from './example-models.ts';

function keyOf({ models: [model] }: ModelsConfig): string | undefined {
  const credential = model?.targets[0]?.credential;
  return credential && 'apiKey' in credential ? credential.apiKey.expose() : undefined;
}

describe('a valid file', () => {
  test('the short form gives one target, with the defaults filled in', () => {
    const config = parse({ models: { poster: deploymentTarget } });
    expect(config).toEqual({
      aliases: new Map(),
      models: [
        {
          name: 'poster',
          timeoutMs: 590_000,
          defaults: {},
          parameters: 'adapt',
          maxRetries: 2,
          onUnknownOutcome: 'stop',
          targets: [
            {
              name: '1',
              priority: 0,
              weight: 1,
              provider: 'azure-deployment',
              model: 'gpt-image-2',
              baseURL: 'https://east.example.com/openai/deployments/images',
              deployment: 'images',
              apiVersion: '2025-04-01-preview',
              credential: { apiKey: expect.anything() },
              downloadOrigins: [],
              upstreamStream: 'never',
              capabilities: {},
            },
          ],
        },
      ],
      currency: 'USD',
      prices: new Map(),
      quotas: new Map(),
      drainMs: 600_000,
      uploadBytes: 200_000_000,
      limits: { inFlight: 200, heldBytes: 536_870_912, queueMs: 15_000, lingerMs: 15_000 },
      storeLimits: { keepHours: 24 },
      imageUrls: 'refuse',
      warnings: [expect.stringContaining('models.poster.apiKey')],
    });
    expect(keyOf(config)).toBe('literal-key');
    expect(inspect(config, { depth: 9 })).not.toContain('literal-key');
  });

  test('the long form keeps the order of its targets and names the unnamed by position', () => {
    const targets = [
      { ...v1Target, name: 'east', priority: 2, weight: 3, deployment: 'img', apiVersion: 'preview' },
      { ...asyncTarget, downloadOrigins: ['https://Files.example.com', 'http://127.0.0.1:9000'] },
    ];
    const defaults = { quality: 'medium', output_compression: 0, response_format: 'url' };
    const [model] = parse({ models: { poster: { timeoutMs: 1000, defaults, targets } } }).models;
    expect(model).toMatchObject({ timeoutMs: 1000, defaults });
    expect(model?.targets).toMatchObject([
      {
        name: 'east',
        priority: 2,
        weight: 3,
        deployment: 'img',
        apiVersion: 'preview',
        baseURL: 'https://east.example.com/openai/v1',
      },
      {
        name: '2',
        apiVersion: '2023-06-01-preview',
        baseURL: 'https://east.example.com',
        downloadOrigins: ['https://files.example.com', 'http://127.0.0.1:9000'],
      },
    ]);
  });

  test('an azure-v1 target without deployment uses the model, and has no api-version of its own', () => {
    const target = parse({ models: { poster: v1Target } }).models[0]?.targets[0];
    expect(target).toMatchObject({ deployment: 'gpt-image-2' });
    expect(target).not.toHaveProperty('apiVersion');
  });

  test('a model whose targets are all azure-async has a shorter timeout, and draining follows the longest', () => {
    const short = parse({ models: { old: asyncTarget } });
    expect(short).toMatchObject({ models: [{ timeoutMs: 120_000 }], drainMs: 130_000 });
    const mixed = parse({ models: { old: { targets: [asyncTarget, v1Target] } }, limits: { drainMs: 0 } });
    expect(mixed).toMatchObject({ models: [{ timeoutMs: 590_000 }], drainMs: 0 });
  });

  test('aliases lead to models, and the default model is resolved', () => {
    const aliases = { 'openai/dall-e-3': 'poster' };
    const config = parse({ defaultModel: 'openai/dall-e-3', aliases, models: { poster: v1Target } });
    expect(config.defaultModel).toBe('poster');
    expect([...config.aliases]).toEqual([['openai/dall-e-3', 'poster']]);
    expect(parse({ defaultModel: 'poster', models: { poster: v1Target } }).defaultModel).toBe('poster');
  });

  test('variables are filled in everywhere', () => {
    const target = { ...v1Target, baseURL: 'https://${RESOURCE}.example.com', apiKey: '${KEY:-none}' };
    const config = parse({ models: { poster: target } }, { RESOURCE: 'west', KEY: 'from-environment' });
    expect(config.models[0]?.targets[0]?.baseURL).toBe('https://west.example.com/openai/v1');
    expect(keyOf(config)).toBe('from-environment');
  });

  test('comments and trailing commas are allowed', () => {
    const text = `{ // models\n "models": { "poster": ${JSON.stringify(v1Target)}, }, }`;
    expect(parseModels(text, {}).models).toHaveLength(1);
  });

  test('the result is frozen throughout', () => {
    const config = parse({ aliases: { a: 'poster' }, models: { poster: { ...v1Target, defaults: { size: 'auto' } } } });
    const [model] = config.models;
    const parts = [config, config.models, model, model?.defaults, model?.targets, model?.targets[0]];
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
    expect(() => (config.aliases as Map<string, string>).set('b', 'poster')).toThrow(TypeError);
  });
});

describe('a file that cannot be read', () => {
  test('a missing file is named with the reason', () => {
    expect(() => loadModels('no/such/models.json', {})).toThrow(
      'Problems in no/such/models.json:\n  cannot read the file: it does not exist (see MODELS_FILE)',
    );
  });

  test('a directory is named with the reason', () => {
    expect(() => loadModels('config', {})).toThrow('cannot read the file: it is a directory');
  });

  test('bad JSON is named with line and column', () => {
    expect(() => parseModels('{\n  "models" {}\n}', {}, 'models.json')).toThrow(
      'Problems in models.json:\n  not valid JSON at line 2, column 12: expected a colon',
    );
  });

  test.each(['[]', 'null', '"text"', '3'])('%s is no file of models', (text) => {
    expect(problemsIn(() => parseModels(text, {}))).toContainEqual({
      path: '',
      line: 1,
      message: 'the file must hold an object',
    });
  });
});

describe('mistakes in names', () => {
  const models = { 'azure-image': v1Target };

  test('a duplicate alias is reported with both lines', () => {
    const text = `{"aliases": {\n"a": "azure-image",\n"a": "azure-image"},\n"models": ${JSON.stringify(models)}}`;
    expect(() => parseModels(text, {})).toThrow('  aliases.a (line 3): duplicate key, already used on line 2');
  });

  test('a duplicate model is reported with both lines', () => {
    const model = JSON.stringify(v1Target);
    const text = `{"models": {\n"gpt-image-1.5": ${model},\n\n"gpt-image-1.5": ${model}}}`;
    expect(() => parseModels(text, {})).toThrow(
      '  models["gpt-image-1.5"] (line 4): duplicate key, already used on line 2',
    );
  });

  test('an alias to nothing is reported with the nearest model', () => {
    expect(messagesOf({ aliases: { a: 'azure-imgae', b: 'something else' }, models })).toEqual([
      'aliases.a: no model has this name, did you mean `azure-image`?',
      'aliases.b: no model has this name',
    ]);
  });

  test('an alias to an alias is told the model', () => {
    expect(messagesOf({ aliases: { a: 'b', b: 'azure-image', c: 'c' }, models })).toEqual([
      'aliases.a: points at another alias; use the name of the model `azure-image`',
      'aliases.c: points at another alias; use the name of the model',
    ]);
  });

  test('an alias with the name of a model is refused', () => {
    expect(messagesOf({ aliases: { 'azure-image': 'azure-image' }, models })).toEqual([
      'aliases.azure-image: a model has this name already',
    ]);
  });

  test('a default model that does not exist is reported with the nearest name', () => {
    expect(messagesOf({ defaultModel: 'azureimage', models })).toEqual([
      'defaultModel: no model or alias has this name, did you mean `azure-image`?',
    ]);
  });

  test('no models at all is a mistake', () => {
    expect(messagesOf({})).toEqual(['models: is required']);
    expect(messagesOf({ models: {} })).toEqual(['models: must not be empty']);
    expect(messagesOf({ models: [] })).toEqual(['models: must be an object']);
  });

  test.each(['', ' a', 'a ', 'a\nb', 'a\u200bb', '\n\u200b', 'x'.repeat(129)])(
    'the model name %j is refused',
    (name) => {
      expect(problemsOf({ models: { [name]: v1Target } }).map((problem) => problem.message)).toEqual([
        'the name must be 1 to 128 printable characters without spaces at either end',
      ]);
    },
  );

  test.each(['azure/dall-e-3', 'my model', 'Bild-Größe', '🎨', 'x'.repeat(128), 'constructor'])(
    'the model name %j is allowed',
    (name) => {
      expect(parse({ models: { [name]: v1Target } }).models[0]?.name).toBe(name);
    },
  );

  test('a name cannot break the line of a message', () => {
    const [problem] = problemsOf({ models: { 'a\nb\u202ec': 3 } });
    expect(problem?.path).toBe('models["a\\nb\\u{202e}c"]');
  });

  test('two targets with one name are refused, also when one is named by its position', () => {
    const twice = {
      poster: {
        targets: [
          { ...v1Target, name: 'a' },
          { ...v1Target, name: 'a' },
        ],
      },
    };
    expect(messagesOf({ models: twice })).toEqual([
      'models.poster.targets[1].name: an earlier target of this model has the same name',
    ]);
    const position = { poster: { targets: [{ ...v1Target, name: '2' }, v1Target] } };
    expect(messagesOf({ models: position })).toEqual([
      'models.poster.targets[1].name: an earlier target of this model has the same name',
    ]);
  });
});

describe('mistakes in a target', () => {
  const providers = 'must be one of azure-async, azure-deployment, azure-v1, foundry-agent, mai, flux';

  function targetMessages(target: unknown): string[] {
    const short = messagesOf({ models: { poster: target } });
    const long = messagesOf({ models: { poster: { targets: [target] } } });
    // Both forms must say the same about a target.
    expect(long.map((message) => message.replace('models.poster.targets[0]', 'models.poster'))).toEqual(short);
    return short;
  }

  test.each([
    ['azure-v2', `models.poster.provider: unknown provider: ${providers}, did you mean \`azure-v1\`?`],
    ['azure_deployment', `models.poster.provider: unknown provider: ${providers}, did you mean \`azure-deployment\`?`],
    ['openai', `models.poster.provider: unknown provider: ${providers}`],
    [undefined, `models.poster.provider: is required: ${providers}`],
    [7, 'models.poster.provider: must be a string'],
  ])('the provider %j is refused with the known ones', (provider, message) => {
    expect(targetMessages({ ...v1Target, provider })).toEqual([message]);
  });

  test('an unknown provider does not hide the other mistakes', () => {
    expect(targetMessages({ ...v1Target, provider: 'openai', baseURL: 'x', modle: '' })).toEqual([
      `models.poster.provider: unknown provider: ${providers}`,
      'models.poster.baseURL: must be a full http or https URL such as https://my-resource.openai.azure.com',
      'models.poster.modle: unknown key `modle`, did you mean `model`?',
    ]);
  });

  test('deployment addressing without an api-version is refused', () => {
    expect(targetMessages({ ...deploymentTarget, apiVersion: undefined })).toEqual([
      'models.poster.apiVersion: is required: deployment addressing needs an api-version, e.g. 2025-04-01-preview',
    ]);
    expect(targetMessages({ ...deploymentTarget, apiVersion: null })).toEqual([
      'models.poster.apiVersion: must be a string',
    ]);
  });

  test.each([
    ['basURL', ', did you mean `baseURL`?'],
    ['base_url', ', did you mean `baseURL`?'],
    ['apikey', ', did you mean `apiKey`?'],
    ['api-version', ', did you mean `apiVersion`?'],
    ['hedging', ''],
    ['prices', ', did you mean `price`?'],
  ])('the unknown key %s is refused%s', (key, ending) => {
    expect(targetMessages({ ...v1Target, [key]: 'x' })).toEqual([
      `models.poster.${key}: unknown key \`${key}\`${ending}`,
    ]);
  });

  test('a misspelt key is reported beside the key that it leaves missing', () => {
    const { baseURL, ...target } = v1Target;
    expect(targetMessages({ ...target, basURL: baseURL })).toEqual([
      'models.poster.baseURL: is required',
      'models.poster.basURL: unknown key `basURL`, did you mean `baseURL`?',
    ]);
  });

  test('azure-async has no deployment', () => {
    expect(targetMessages({ ...asyncTarget, deployment: 'x' })).toEqual([
      'models.poster.deployment: unknown key `deployment`',
    ]);
  });

  test.each([
    ['an empty key', { apiKey: '' }, 'apiKey: must not be empty'],
    [
      'a key with a line break',
      { apiKey: 'abc\n' },
      'apiKey: must hold visible ASCII characters only; check for blanks and line breaks',
    ],
    ['a key that is no string', { apiKey: 3 }, 'apiKey: must be a string'],
    ['a negative priority', { priority: -1 }, 'priority: must be at least 0'],
    ['a broken priority', { priority: 0.5 }, 'priority: must be a whole number'],
    ['no weight', { weight: 0 }, 'weight: must be at least 1'],
    ['too much weight', { weight: 1001 }, 'weight: must be at most 1000'],
    ['a weight in words', { weight: '3' }, 'weight: must be a number'],
    ['a name with blanks', { name: 'a b' }, 'name: must be 1 to 64 letters, digits, dots, underscores or dashes'],
    ['a blank api-version', { apiVersion: ' ' }, 'apiVersion: must be an api-version such as 2025-04-01-preview'],
    [
      'an unpaired surrogate',
      { model: '\ud800' },
      'model: must be 1 to 128 printable characters without spaces at either end',
    ],
    ['a deployment that is a path step', { deployment: '..' }, 'deployment: must not be `.` or `..`'],
    ['one origin outside a list', { downloadOrigins: 'https://a.example' }, 'downloadOrigins: must be a list'],
  ])('%s is refused', (_, change, message) => {
    expect(targetMessages({ ...v1Target, ...change })).toEqual([`models.poster.${message}`]);
  });

  test.each(['https://a.example/', 'https://a.example/path', 'ftp://a.example', 'a.example', 'https://*.example', ''])(
    'the download origin %j is refused',
    (origin) => {
      expect(targetMessages({ ...v1Target, downloadOrigins: [origin] })).toEqual([
        'models.poster.downloadOrigins[0]: must be an origin such as https://files.example.com, without a path',
      ]);
    },
  );

  test('an unusable deployment is the only complaint about the address', () => {
    const target = { ...deploymentTarget, baseURL: 'https://a.example', deployment: '\ud800' };
    expect(targetMessages(target)).toEqual([
      'models.poster.deployment: must be 1 to 128 printable characters without spaces at either end',
    ]);
  });

  test('a base URL of another provider is refused', () => {
    expect(targetMessages({ ...deploymentTarget, baseURL: 'https://a.example/openai/v1' })).toEqual([
      'models.poster.baseURL: must not end in /v1: that address is for the provider azure-v1',
    ]);
  });
});

describe('mistakes in a model', () => {
  test.each([
    [{ timeoutMs: 999 }, 'timeoutMs: must be at least 1000'],
    [{ timeoutMs: 900_001 }, 'timeoutMs: must be at most 900000'],
    [{ defaults: { qualty: 'low' } }, 'defaults.qualty: unknown key `qualty`, did you mean `quality`?'],
    [{ defaults: { output_compression: 101 } }, 'defaults.output_compression: must be at most 100'],
    [{ defaults: { response_format: 'URL' } }, 'defaults.response_format: must be one of url, b64_json'],
    [{ defaults: { size: '' } }, 'defaults.size: must not be empty'],
  ])('%j is refused', (change, message) => {
    expect(messagesOf({ models: { poster: { ...v1Target, ...change } } })).toEqual([`models.poster.${message}`]);
  });

  test.each([null, [], 'azure-v1', 3])('%j is no model', (model) => {
    expect(messagesOf({ models: { poster: model } })).toEqual(['models.poster: must be an object']);
  });

  test.each([
    [[], 'models.poster.targets: must not be empty'],
    [{}, 'models.poster.targets: must be a list'],
    [[null], 'models.poster.targets[0]: must be an object'],
  ])('%j are no targets', (targets, message) => {
    expect(messagesOf({ models: { poster: { targets } } })).toEqual([message]);
  });

  test('keys on the wrong level are told the right one', () => {
    const model = { apiKey: 'x', defaults: { model: 'x' }, targets: [{ ...v1Target, timeoutMs: 1000 }] };
    expect(messagesOf({ models: { poster: model } })).toEqual([
      'models.poster.apiKey: unknown key `apiKey`: in a model with `targets` it belongs in each target',
      'models.poster.defaults.model: unknown key `model`',
      'models.poster.targets[0].timeoutMs: unknown key `timeoutMs`: it belongs to the model, beside `targets`',
    ]);
  });

  test('limits and unknown keys of the file are checked', () => {
    const file = { limit: {}, limits: { drainMs: 3_600_001 }, models: { poster: v1Target } };
    expect(messagesOf(file)).toEqual([
      'limit: unknown key `limit`, did you mean `limits`?',
      'limits.drainMs: must be at most 3600000',
    ]);
  });
});

describe('missing variables', () => {
  test('a missing variable is reported with its path, line and name', () => {
    expect(problemsOf({ models: { poster: { ...v1Target, apiKey: '${EAST_KEY}' } } })).toEqual([
      {
        path: 'models.poster.apiKey',
        line: 7,
        message: 'the environment variable EAST_KEY is unset or empty',
        missingVariable: 'EAST_KEY',
      },
    ]);
  });

  test.each(['provider', 'model', 'baseURL', 'apiKey', 'apiVersion', 'deployment', 'name'])(
    'a missing variable in %s is the only complaint about it',
    (key) => {
      const target = { ...deploymentTarget, baseURL: 'https://a.example', deployment: 'images', [key]: '${NONE}' };
      expect(problemsOf({ models: { poster: { targets: [target] } } })).toMatchObject([{ missingVariable: 'NONE' }]);
    },
  );

  test.each([
    { defaultModel: '${NONE}', models: { poster: v1Target } },
    { aliases: { a: '${NONE}' }, models: { poster: v1Target } },
    { aliases: { a: 'poster' }, defaultModel: 'a', models: { poster: '${NONE}' } },
    { models: { poster: { targets: '${NONE}' } } },
    { models: '${NONE}' },
  ])('a missing variable in %j brings no other complaint', (file) => {
    expect(problemsOf(file)).toMatchObject([{ missingVariable: 'NONE' }]);
  });
});

test('all mistakes of a file are printed together, in the order of its lines', () => {
  const text = `{
    "defaultModel": "postr",
    "aliases": { "a": "nothing" },
    "models": {
      "poster": {
        "timeoutMs": 5,
        "targets": [
          { "provider": "azure-deployment", "model": "m", "apiKey": "\${EAST_KEY}",
            "baseURL": "https://a.example", "deployment": "d" },
          { "provider": "azure-v3", "model": "m", "model": "m", "apiKey": "k", "baseURL": "https://a.example" }
        ]
      }
    }
  }`;
  expect(() => parseModels(text, {}, 'models.json')).toThrow(`Problems in models.json:
  defaultModel (line 2): no model or alias has this name, did you mean \`poster\`?
  aliases.a (line 3): no model has this name
  models.poster.timeoutMs (line 6): must be at least 1000
  models.poster.targets[0].apiKey (line 8): the environment variable EAST_KEY is unset or empty
  models.poster.targets[0].apiVersion (line 8): is required: deployment addressing needs an api-version, e.g. 2025-04-01-preview
  models.poster.targets[1].model (line 10): duplicate key, already used on line 10
  models.poster.targets[1].provider (line 10): unknown provider: must be one of azure-async, azure-deployment, azure-v1, foundry-agent, mai, flux, did you mean \`azure-v1\`?`);
});

test('targets of one model may mix providers', () => {
  const names = (targets: readonly TargetConfig[] = []) => targets.map((target) => target.provider);
  const config = parse({ models: { poster: { targets: [deploymentTarget, v1Target, asyncTarget] } } });
  expect(names(config.models[0]?.targets)).toEqual(['azure-deployment', 'azure-v1', 'azure-async']);
});
