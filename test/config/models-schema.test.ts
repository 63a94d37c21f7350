import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { keysSchemaText, modelsSchemaText } from '../../scripts/write-config-schemas.ts';
import { loadModels } from '../helpers/parse-models.ts';
import { agentTarget, asyncTarget, deploymentTarget, entra, v1Target } from './example-models.ts';

const schemaText = readFileSync('config/models.schema.json', 'utf8');
const schema = z.fromJSONSchema(JSON.parse(schemaText));

function accepts(file: unknown): boolean {
  return schema.safeParse(file).success;
}

test('config/models.schema.json is fresh (npm run schema)', () => {
  expect(schemaText).toBe(modelsSchemaText());
});

describe('the JSON Schema', () => {
  test.each(['config/models.json', 'config/models.demo.json'])('%s is accepted', (file) => {
    expect(accepts(JSON.parse(readFileSync(file, 'utf8')))).toBe(true);
  });

  test.each([
    ['the short form', { poster: deploymentTarget }],
    ['the long form', { poster: { targets: [deploymentTarget, v1Target, asyncTarget] } }],
    ['an agent', { poster: { ...agentTarget, agentVersion: '3', background: true } }],
    ['a chat deployment', { poster: { targets: [{ ...agentTarget, agent: undefined, chatDeployment: 'chat' }] } }],
    ['tokens in the place of a key', { poster: { ...v1Target, apiKey: undefined, auth: entra } }],
  ])('%s is accepted', (_, models) => {
    expect(accepts(JSON.parse(JSON.stringify({ models })))).toBe(true);
  });

  test.each([
    ['an unknown key', { poster: { ...v1Target, basURL: '' } }],
    ['an unknown key in a target', { poster: { targets: [{ ...v1Target, basURL: '' }] } }],
    ['an unknown provider', { poster: { ...v1Target, provider: 'openai' } }],
    ['a missing api-version', { poster: { ...deploymentTarget, apiVersion: undefined } }],
    ['targets beside flat keys', { poster: { ...v1Target, targets: [v1Target] } }],
    ['an agent without an image deployment', { poster: { ...agentTarget, imageDeployment: undefined } }],
    ['the agent key of earlier versions', { poster: { ...agentTarget, agentKey: 'agent' } }],
    ['an agent of another provider', { poster: { ...v1Target, agent: 'painter' } }],
    ['auth without a scope', { poster: { ...v1Target, auth: { entra: {} } } }],
    ['no targets', { poster: { targets: [] } }],
  ])('%s is refused', (_, models) => {
    expect(accepts(JSON.parse(JSON.stringify({ models })))).toBe(false);
  });
});

describe('the JSON Schema of the keys file', () => {
  const text = readFileSync('config/keys.schema.json', 'utf8');
  const keysSchema = z.fromJSONSchema(JSON.parse(text));
  const takes = (shop: object, name = 'shop') => keysSchema.safeParse({ callers: { [name]: shop } }).success;
  const sha256 = '0'.repeat(64);

  test('config/keys.schema.json is fresh (npm run schema)', () => {
    expect(text).toBe(keysSchemaText());
  });

  test('takes the example, and what a caller may have', () => {
    expect(keysSchema.safeParse(JSON.parse(readFileSync('config/keys.example.json', 'utf8'))).success).toBe(true);
    expect(takes({ keys: [{ key: `\${SHOP_KEY}` }], limits: { images: 1 } })).toBe(true);
  });

  test.each<[string, object, string?]>([
    ['an unknown key', { keys: [{ sha256 }], model: [] }],
    ['half a hash', { keys: [{ sha256: '0' }] }],
    ['no keys', { keys: [] }],
    ['a limit of nothing', { keys: [{ sha256 }], limits: { requests: 0 } }],
    ['a name with a blank', { keys: [{ sha256 }] }, 'a b'],
  ])('refuses %s', (_, shop, name) => {
    expect(takes(shop, name)).toBe(false);
  });
});

describe('the files in config/', () => {
  test('models.json needs the endpoint and the key, and nothing else', () => {
    const variables = { AZURE_OPENAI_ENDPOINT: 'https://my-resource.openai.azure.com/', AZURE_OPENAI_API_KEY: 'key' };
    const config = loadModels('config/models.json', variables);
    expect(config.defaultModel).toBe('azure-image');
    expect([...config.aliases.keys()]).toEqual(['gpt-image-1', 'gpt-image-2', 'dall-e-2', 'dall-e-3']);
    expect(config.models[0]?.targets).toMatchObject([
      { baseURL: 'https://my-resource.openai.azure.com/openai/deployments/gpt-image-2', deployment: 'gpt-image-2' },
    ]);
  });

  test('models.demo.json needs no variable and talks to the simulator only', () => {
    const config = loadModels('config/models.demo.json', {});
    expect(config.models.map(({ name }) => name)).toEqual([
      ...['azure-image', 'azure-image-v1', 'artist', 'poster-artist', 'mai-image', 'flux', 'dall-e-legacy'],
    ]);
    expect(config.models.flatMap(({ targets }) => targets.map(({ baseURL }) => baseURL))).toEqual([
      'http://127.0.0.1:8867/openai/deployments/gpt-image-2',
      'http://127.0.0.1:8867/openai/v1',
      'http://127.0.0.1:8867',
      'http://127.0.0.1:8867/api/projects/demo',
      ...Array(3).fill('http://127.0.0.1:8867'),
    ]);
  });

  test('.env.example names every variable of models.json', () => {
    const names = readFileSync('config/models.json', 'utf8').matchAll(/\$\{(\w+)/g);
    const example = readFileSync('.env.example', 'utf8');
    expect([...names].filter(([, name]) => !example.includes(`\n${name}=`))).toEqual([]);
  });
});
