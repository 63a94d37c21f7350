import { describe, expect, test } from 'vitest';
import { reviewDefaults } from '../../src/cli/review-defaults.ts';
import { agentTarget, asyncTarget, deploymentTarget, v1Target } from '../config/example-models.ts';
import { parseModels } from '../helpers/parse-models.ts';

const chatTarget = { ...agentTarget, agent: undefined, chatDeployment: 'chat' };

/** The defaults that are warned of, and how. */
function warningsOf(model: object): readonly string[] {
  const review = { target: () => {}, defaults: reviewDefaults };
  const { warnings } = parseModels(JSON.stringify({ models: { poster: model } }), {}, 'models.json', review);
  return warnings.filter((warning) => warning.includes('.defaults'));
}

const warnedOf = (model: object) =>
  warningsOf(model).map((warning) => /\.defaults\.(\w+) /.exec(warning)?.[1] ?? warning);

test('a default that no target takes is warned of at its place', () => {
  expect(warningsOf({ ...v1Target, defaults: { quality: 'hihg' } })).toEqual([
    'models.json: models.poster.defaults.quality (line 1): no target takes this value under `parameters: adapt`, so it is never used',
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
  const defaults = { size: '1024x1024', output_compression: 50, output_format: 'webp' };
  expect(warnedOf({ ...asyncTarget, defaults })).toEqual(['output_format', 'output_compression']);
});

test('what the operator says of a deployment counts', () => {
  const capabilities = { qualities: ['hihg'] };
  expect(warnedOf({ ...v1Target, capabilities, defaults: { quality: 'hihg' } })).toEqual([]);
  expect(warnedOf({ ...v1Target, capabilities, defaults: { quality: 'high' } })).toEqual(['quality']);
});
