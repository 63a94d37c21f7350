// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { describe, expect, test } from 'vitest';
import { reviewTarget } from '../../src/cli/review-target.ts';
import { agentTarget, asyncTarget, deploymentTarget, v1Target } from '../config/example-models.ts';
import { parseModels } from '../helpers/parse-models.ts';

const variables = { KEY: 'from-the-environment' };

function warningsOf(target: object, file: object = {}): readonly string[] {
  const text = JSON.stringify({ ...file, models: { poster: { ...target } } });
  return parseModels(text, variables, 'models.json', { target: reviewTarget, defaults: () => {} }).warnings;
}

const review = (target: object, change: object) => warningsOf({ ...target, apiKey: '${KEY}', ...change });

describe('the model of a target', () => {
  const left = 'no family is known for this model, so every parameter is left to Azure';

  test.each([
    ['my-deployment', ''],
    ['gptimage-2', ', did you mean `gpt-image-2`?'],
    ['dalle-3', ', did you mean `dall-e-3`?'],
  ])('%s, which no family knows, is warned of%s', (model, ending) => {
    expect(review(v1Target, { model })).toEqual([`models.json: models.poster.model (line 1): ${left}${ending}`]);
  });

  test.each(['gpt-image-2', 'GPT-IMAGE-2.5-sunburst', 'gpt-image-3', 'dall-e-3', 'FLUX.1-Kontext-pro'])(
    '%s is known',
    (model) => expect(review(v1Target, { model })).toEqual([]),
  );

  test('that nobody knows, but of which its operator has said what it can do, is left alone', () => {
    expect(review(v1Target, { model: 'my-model', capabilities: { maxCount: 1 } })).toEqual([]);
  });

  test('is named by the place of its target', () => {
    const targets = [v1Target, { ...v1Target, model: 'mine' }].map((target) => ({ ...target, apiKey: '${KEY}' }));
    expect(warningsOf({ targets })).toEqual([
      expect.stringContaining('models.poster.targets[1].model (line 1): no family'),
    ]);
  });
});

describe('an api-version without edits', () => {
  test.each(['2024-02-01', '2024-10-21', '2024-12-01-preview', '2025-03-01-preview'])(
    '%s is warned of',
    (apiVersion) => {
      expect(review(deploymentTarget, { apiVersion })).toEqual([
        'models.json: models.poster.apiVersion (line 1): deployments cannot edit in this version: edits need 2025-04-01-preview or later',
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
  ])('is not %s', (_, target, change) => expect(review(target, change)).toEqual([]));
});

describe('a secret that stands in the file', () => {
  const told = (place: string) =>
    `models.json: ${place} (line 1): this secret stands in the file itself, and in every copy of it: use a variable, and write \${NAME} here`;

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
    expect(review(v1Target, { headers })).toEqual([told('models.poster.headers.Ocp-Apim-Subscription-Key')]);
  });

  test('in the address of a proxy is warned of', () => {
    const target = { ...v1Target, apiKey: '${KEY}' };
    expect(warningsOf(target, { egressProxy: 'http://me:canary@proxy.example.com' })).toEqual([told('egressProxy')]);
    expect(warningsOf(target, { egressProxy: 'http://me:${KEY}@proxy.example.com' })).toEqual([]);
    expect(warningsOf(target, { egressProxy: 'http://proxy.example.com' })).toEqual([]);
  });
});
