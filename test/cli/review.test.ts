// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { describe, expect, test } from 'vitest';
import { review } from '../../src/cli/review.ts';
import { agentTarget, asyncTarget, deploymentTarget, v1Target } from '../config/example-models.ts';
import { parseModels } from '../helpers/parse-models.ts';

const variables = { KEY: 'from-the-environment' };

function warningsOf(target: object, file: object = {}): readonly string[] {
  const text = JSON.stringify({ ...file, models: { poster: { ...target } } });
  return parseModels(text, variables, 'models.json', review).warnings;
}

const warningsWith = (target: object, change: object) => warningsOf({ ...target, apiKey: '${KEY}', ...change });

describe('the model of a target', () => {
  const left = 'unknown model family, so Azure alone checks the parameters';

  test.each([
    ['my-deployment', ''],
    ['gptimage-2', ', did you mean `gpt-image-2`?'],
    ['dalle-3', ', did you mean `dall-e-3`?'],
  ])('%s, which no family knows, is warned of%s', (model, ending) => {
    expect(warningsWith(v1Target, { model })).toEqual([`models.json: models.poster.model (line 1): ${left}${ending}`]);
  });

  test.each(['gpt-image-2', 'GPT-IMAGE-2.5-sunburst', 'gpt-image-3', 'dall-e-3', 'FLUX.1-Kontext-pro'])(
    '%s is known',
    (model) => expect(warningsWith(v1Target, { model })).toEqual([]),
  );

  test('that nobody knows, but of which its operator has said what it can do, is left alone', () => {
    expect(warningsWith(v1Target, { model: 'my-model', capabilities: { maxCount: 1 } })).toEqual([]);
  });

  test('is named by the place of its target', () => {
    const targets = [v1Target, { ...v1Target, model: 'mine' }].map((target) => ({ ...target, apiKey: '${KEY}' }));
    expect(warningsOf({ targets })).toEqual([
      expect.stringContaining('models.poster.targets[1].model (line 1): unknown model family'),
    ]);
  });
});

describe('an api-version without edits', () => {
  test.each(['2024-02-01', '2024-10-21', '2024-12-01-preview', '2025-03-01-preview'])(
    '%s is warned of',
    (apiVersion) => {
      expect(warningsWith(deploymentTarget, { apiVersion })).toEqual([
        'models.json: models.poster.apiVersion (line 1): this version does not support edits, which need 2025-04-01-preview or later',
      ]);
    },
  );

  test.each<[string, object, object]>([
    ['the first that has them', deploymentTarget, { apiVersion: '2025-04-01-preview' }],
    ['a later one', deploymentTarget, { apiVersion: '2026-01-01' }],
    ['one without a day', deploymentTarget, { apiVersion: 'preview' }],
    ['a model that only generates', deploymentTarget, { model: 'dall-e-3', apiVersion: '2024-10-21' }],
    [
      'a deployment that only generates',
      deploymentTarget,
      { capabilities: { operations: ['generate'] }, apiVersion: '2024-10-21' },
    ],
    ['the v1 API', v1Target, { apiVersion: 'preview' }],
    ['the old asynchronous API', asyncTarget, {}],
    ['an agent', agentTarget, { apiVersion: '2024-10-21' }],
  ])('is not %s', (_, target, change) => expect(warningsWith(target, change)).toEqual([]));
});

describe('a secret that stands in the file', () => {
  const told = (place: string) =>
    `models.json: ${place} (line 1): the file contains this secret; put it into an environment variable and write \${NAME} here`;

  test.each([
    ['literal-key', true],
    ['${NO_SUCH_KEY:-literal-key}', true],
    ['${KEY:-literal-key}', false],
    ['${KEY}', false],
  ])('apiKey %s is warned of: %s', (apiKey, isWarned) => {
    const warnings = warningsOf({ targets: [{ ...v1Target, apiKey }] });
    expect(warnings).toEqual(isWarned ? [told('models.poster.targets[0].apiKey')] : []);
  });

  test('in headers is warned of where their names say so', () => {
    const headers = {
      'Ocp-Apim-Subscription-Key': 'canary',
      'cf-aig-authorization': 'Bearer ${KEY}',
      'x-team': 'images',
    };
    expect(warningsWith(v1Target, { headers })).toEqual([told('models.poster.headers.Ocp-Apim-Subscription-Key')]);
  });

  test('in the address of a proxy is warned of', () => {
    const target = { ...v1Target, apiKey: '${KEY}' };
    expect(warningsOf(target, { egressProxy: 'http://me:canary@proxy.example.com' })).toEqual([told('egressProxy')]);
    expect(warningsOf(target, { egressProxy: 'http://me:${KEY}@proxy.example.com' })).toEqual([]);
    expect(warningsOf(target, { egressProxy: 'http://proxy.example.com' })).toEqual([]);
  });
});

const chatTarget = { ...agentTarget, agent: undefined, chatDeployment: 'chat' };

/** The defaults that are warned of, and how. */
function defaultWarningsOf(model: object): readonly string[] {
  const { warnings } = parseModels(JSON.stringify({ models: { poster: model } }), {}, 'models.json', review);
  return warnings.filter((warning) => warning.includes('.defaults'));
}

const warnedOf = (model: object) =>
  defaultWarningsOf(model).map((warning) => /\.defaults\.(\w+) /.exec(warning)?.[1] ?? warning);

test('a default that no target takes is warned of at its place', () => {
  expect(defaultWarningsOf({ ...v1Target, defaults: { quality: 'hihg' } })).toEqual([
    'models.json: models.poster.defaults.quality (line 1): no target supports this value under `parameters: adapt`, so it is never used',
  ]);
});

describe.each<[string, object]>([
  ['v1', v1Target],
  ['a deployment', deploymentTarget],
  ['a chat deployment', chatTarget],
])('%s', (_, target) => {
  test.each<object>([
    { quality: 'hihg', size: '1x1', output_format: 'jpg', background: 'clear', moderation: 'none' },
    { quality: 'high', size: '1024x1024', output_format: 'webp', background: 'transparent', moderation: 'low' },
    { output_compression: 50 },
    { output_format: 'jpeg', output_compression: 50 },
    { response_format: 'url' },
  ])('is never warned of under pass: %j', (defaults) => {
    expect(warnedOf({ ...target, parameters: 'pass', defaults })).toEqual([]);
  });

  test.each<[object, string[]]>([
    [{ quality: 'hihg', size: '1x1', output_format: 'jpg' }, ['size', 'quality', 'output_format']],
    [{ quality: 'auto', size: 'auto', output_format: 'png' }, []],
    [{ output_compression: 50 }, []],
    [{ output_format: 'png', output_compression: 50 }, []],
    [{ quality: 'high', size: '1024x1536', background: 'transparent', moderation: 'low' }, []],
    [{ response_format: 'url' }, []],
  ])('fits %j, but for %j', (defaults, names) => {
    expect(warnedOf({ ...target, model: 'gpt-image-1', defaults })).toEqual(names);
  });
});

describe('an agent', () => {
  const defaults = { size: '1024x1024', quality: 'high' };

  test('under strict has no use for what it decides itself', () => {
    expect(warnedOf({ ...agentTarget, parameters: 'strict', defaults })).toEqual(['size', 'quality']);
  });

  test.each(['adapt', 'pass'])('is told of it under %s', (parameters) => {
    expect(warnedOf({ ...agentTarget, parameters, defaults })).toEqual([]);
  });

  test('beside a target that takes it is not warned of', () => {
    expect(warnedOf({ parameters: 'strict', defaults, targets: [agentTarget, v1Target] })).toEqual([]);
  });
});

test('what the DALL·E models never had is warned of', () => {
  const defaults = { size: '1024x1024', background: 'transparent', moderation: 'low' };
  expect(warnedOf({ ...asyncTarget, defaults })).toEqual(['background', 'moderation']);
});

test('a format that their images are converted to is not warned of', () => {
  const defaults = { output_format: 'webp', output_compression: 50 };
  expect(warnedOf({ ...asyncTarget, defaults })).toEqual([]);
});

test('what the operator says of a deployment counts', () => {
  const capabilities = { qualities: ['hihg'] };
  expect(warnedOf({ ...v1Target, capabilities, defaults: { quality: 'hihg' } })).toEqual([]);
  expect(warnedOf({ ...v1Target, capabilities, defaults: { quality: 'high' } })).toEqual(['quality']);
});

describe('a protocol that serves one kind of models only', () => {
  const mai = { ...v1Target, provider: 'mai', model: 'MAI-Image-2.6', apiKey: '${KEY}' };
  const flux = { ...mai, provider: 'flux', model: 'FLUX.2-pro' };

  test.each([
    [mai, { model: 'gpt-image-2' }, 'models.poster.model', 'the provider mai serves MAI-Image only'],
    [flux, { model: 'gpt-image-2', path: 'x' }, 'models.poster.model', 'the provider flux serves FLUX only'],
    [mai, { capabilities: { maxCount: 4 } }, 'models.poster.capabilities', '`maxCount` cannot be 4'],
    [mai, { capabilities: { streams: true } }, 'models.poster.capabilities', '`streams` cannot be true'],
    [flux, { capabilities: { mask: true } }, 'models.poster.capabilities', '`mask` cannot be true'],
  ])('%o with %o is warned of', (target, change, place, message) => {
    const [warning, ...others] = warningsOf({ ...target, ...change });
    expect(warning).toContain(place);
    expect(warning).toContain(message);
    expect(others).toEqual([]);
  });

  test('is left alone with its own', () => {
    expect([...warningsOf(mai), ...warningsOf({ ...flux, capabilities: { maxInputs: 4 } })]).toEqual([]);
  });
});

test('list prices are warned of where a model has none', () => {
  const warnings = warningsOf({ ...v1Target, model: 'gpt-image-3', apiKey: '${KEY}' }, { prices: 'list' });
  expect(warnings).toEqual([expect.stringContaining('has no list price, so the cost is unknown')]);
});
