import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseKeys } from '../../src/config/load-keys.ts';
import type { ModelConfig } from '../../src/config/models-config.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { blocksOf, readDocument } from './documents.ts';

const configuration = readDocument('docs/configuration.md');
const jsonIn = (path: string) => blocksOf(path).flatMap(({ language, text }) => (language === 'jsonc' ? [text] : []));
const isKeysFile = (text: string) => text.includes('"callers"');

test('every key of the models file is described', () => {
  const schema: unknown = JSON.parse(readFileSync('config/models.schema.json', 'utf8'));
  expect([...keysIn(schema)].filter((key) => !configuration.includes(`\`${key}\``))).toEqual([]);
});

test('every key of the keys file is described, and the example is that of config/keys.example.json', () => {
  const [, section = ''] = /^## Gateway keys$(.*?)^## /ms.exec(configuration) ?? [];
  const schema: unknown = JSON.parse(readFileSync('config/keys.schema.json', 'utf8'));
  const keys = [...keysIn(schema)].filter((key) => key !== '$schema');
  expect(keys.filter((key) => !section.includes(`\`${key}\``))).toEqual([]);
  const targets = [{ model: 'gpt-image-2', price: { images: [{ price: 0.04 }] } }];
  const models = {
    models: [{ name: 'azure-image', targets }] as unknown as ModelConfig[],
    aliases: new Map(),
    currency: 'USD',
    prices: new Map(),
  };
  const [shown] = parseKeys(jsonIn('docs/configuration.md').find(isKeysFile) ?? '', {
    variables: {},
    models,
  }).consumers;
  const example = parseKeys(readFileSync('config/keys.example.json', 'utf8'), { variables: {}, models });
  expect(example.consumers).toContainEqual(shown);
  expect(example.warnings).toEqual([]);
});

test('the models file is valid, and so are the single models', () => {
  const texts = jsonIn('docs/configuration.md').filter((text) => !isKeysFile(text));
  const variables = { AZURE_OPENAI_API_KEY: 'key', EAST_KEY: 'key', WEST_KEY: 'key', APIM_SUBSCRIPTION_KEY: 'key' };
  const models = texts.map(
    (text) => parseModels(text.startsWith('{') ? text : `{"models":{${text}}}`, variables).models,
  );
  expect(models.map((list) => list.map(({ name }) => name))).toEqual([
    ['azure-image', 'poster'],
    ['azure-image'],
    ['azure-image'],
    ['artist'],
    ['poster-artist'],
    ['mai', 'flux'],
    ['poster'],
    ['azure-image'],
    ['azure-image'],
  ]);
});

test('the prices in docs/observability.md are valid', () => {
  const [text = ''] = jsonIn('docs/observability.md');
  const model = { provider: 'azure-v1', model: 'gpt-image-2', baseURL: 'https://a.test', apiKey: 'key' };
  const { currency, prices } = parseModels(text.replace('{', `{ "models": ${JSON.stringify({ image: model })},`), {});
  expect([currency, [...prices.keys()]]).toEqual(['EUR', ['gpt-image-2', 'gpt-image-2.5-flare']]);
});

/** The names of all members that a JSON Schema allows. */
function keysIn(schema: unknown): Set<string> {
  if (typeof schema !== 'object' || schema === null) return new Set();
  const { properties = {} } = schema as { properties?: object };
  const own = Array.isArray(schema) ? [] : Object.keys(properties);
  return new Set([...own, ...Object.values(schema).flatMap((value) => [...keysIn(value)])]);
}
