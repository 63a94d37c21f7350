import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadModels } from '../helpers/parse-models.ts';
import { documents } from './documents.ts';

/**
 * Models that Azure has retired, or retires in 2026: an example with one of them fails on the day when it is tried.
 * https://learn.microsoft.com/azure/ai-foundry/openai/concepts/model-retirements
 */
const retired = /\b(?:dall-e-[23]|gpt-image-1(?:\.5)?(?![\w.]|-mini)|gpt-4o[\w.-]*|gpt-4\.1[\w.-]*|gpt-4-[\w.-]*)/g;

/** Allowed mentions: names that old clients hardcode, as aliases of a living model. */
const mentions: Readonly<Record<string, readonly string[]>> = {
  'README.md': ['such as `dall-e-3`, lead to `azure-image`'],
  'docs/clients.md': ['`dall-e-3`, can be an alias', 'such as `dall-e-2`, can be aliases of a living one'],
  'docs/configuration.md': ['"aliases": { "gpt-image-1": "azure-image" }'],
};

/** Lists of families and changes, which include retired models. */
const lists = ['docs/parameters.md', 'CHANGELOG.md'];

const others = ['.env.example', 'docker-compose.yml', 'Dockerfile', 'src/cli/demo.ts', 'docs/grafana-dashboard.json'];
const texts = [...documents.filter((path) => !lists.includes(path)), ...others];

test.each(texts)('%s names retired models only as names that old clients hardcode', (path) => {
  let text = readFileSync(path, 'utf8');
  for (const mention of mentions[path] ?? []) {
    expect(text, 'the mention is gone').toContain(mention);
    text = text.replace(mention, '');
  }
  expect(text.match(retired) ?? []).toEqual([]);
});

const variables = { AZURE_OPENAI_ENDPOINT: 'https://a.example', AZURE_OPENAI_API_KEY: 'key' };
const modelsFiles = readdirSync('config').filter((name) => /^models\.(?!schema)/.test(name));

test.each(modelsFiles)('config/%s has living models only, and aliases the names of old clients to one', (name) => {
  const config = loadModels(`config/${name}`, variables);
  // The demo has Azure's first image API, too, which is no more: there is nothing else to try its clients with.
  const models = config.models.filter((model) => model.name !== 'dall-e-legacy');
  const texts = JSON.stringify([models, [...config.prices.keys()]]);
  expect(texts.match(retired) ?? []).toEqual([]);
  for (const old of ['gpt-image-1', 'dall-e-2', 'dall-e-3']) expect(config.aliases.get(old)).toBe('azure-image');
});

test('the list tells the retired from the living', () => {
  const all =
    'gpt-image-1 gpt-image-1.5 dall-e-3 gpt-4o-mini gpt-4.1 gpt-image-2 gpt-image-2.5-flare gpt-image-1-mini gpt-5.1';
  expect(all.match(retired)).toEqual(['gpt-image-1', 'gpt-image-1.5', 'dall-e-3', 'gpt-4o-mini', 'gpt-4.1']);
});
