import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { callerViews } from '../../src/api/write-error.ts';
import { usualKeysFile } from '../../src/config/keys-file.ts';
import { parseKeys } from '../../src/config/load-keys.ts';
import { parseModels } from '../../src/config/load-models.ts';
import type { ModelConfig } from '../../src/config/models-config.ts';
import { scenarios } from '../../src/simulator/scenarios.ts';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/```jsonc\n(.*?)```/gs)].map(([, text = '']) => text);
const isKeysFile = (text: string) => text.includes('"callers"');

test('the README has the curl of the quick start, word by word', () => {
  const curl =
    'curl http://localhost:8866/v1/images/generations -H "Content-Type: application/json" -H "Authorization: Bearer demo-key" -d \'{"model":"azure-image","prompt":"A cute cate","n":1,"size":"1024x1024"}\'';
  expect(readme.split('\n')).toContain(curl);
});

test('the error table of the README is that of the code: status, type and code', () => {
  const rows = readme.matchAll(/^\| (\d{3}) \| `(\w+)` \| `(\w+)` \|/gm);
  const told = [...rows].map(([, status, type, code]) => `${status} ${type} ${code}`);
  const views = Object.values(callerViews).map(({ status, type, code }) => `${status} ${type} ${code}`);
  expect(told.sort()).toEqual([...new Set(views)].sort());
});

test('the error table promises x-should-retry only where the SDKs would repeat', () => {
  const rows = readme.matchAll(/^\| (\d{3}) \| `\w+` \| `\w+` \|.*\| (.+) \|$/gm);
  const promised = [...rows].filter(([, , shouldRetry]) => shouldRetry !== '–').map(([, status]) => Number(status));
  expect(promised).not.toEqual([]);
  expect(promised.filter((status) => status !== 429 && status < 500)).toEqual([]);
});

test('the README describes every key of the models file', () => {
  const schema: unknown = JSON.parse(readFileSync('config/models.schema.json', 'utf8'));
  expect([...keysIn(schema)].filter((key) => !readme.includes(`\`${key}\``))).toEqual([]);
});

test('the README describes every key of the keys file, and its own one is that of config/keys.example.json', () => {
  const [, section = ''] = /^### Gateway keys$(.*?)^## /ms.exec(readme) ?? [];
  const schema: unknown = JSON.parse(readFileSync('config/keys.schema.json', 'utf8'));
  const keys = [...keysIn(schema)].filter((key) => key !== '$schema');
  expect(keys.filter((key) => !section.includes(`\`${key}\``))).toEqual([]);
  const models = { models: [{ name: 'azure-image' }] as ModelConfig[], aliases: new Map() };
  const [shown] = parseKeys(blocks.find(isKeysFile) ?? '', { variables: {}, models }).holders;
  const example = parseKeys(readFileSync('config/keys.example.json', 'utf8'), { variables: {}, models });
  expect(example.holders).toContainEqual(shown);
  expect(example.warnings).toEqual([]);
});

test('the models file in the README is valid, and so are the models that it shows alone', () => {
  const texts = blocks.filter((text) => !isKeysFile(text));
  const variables = { AZURE_OPENAI_API_KEY: 'key', EAST_KEY: 'key', WEST_KEY: 'key' };
  const models = texts.map(
    (text) => parseModels(text.startsWith('{') ? text : `{"models":{${text}}}`, variables).models,
  );
  expect(models.map((list) => list.map(({ name }) => name))).toEqual([
    ['artist'],
    ['azure-image'],
    ['azure-image', 'poster'],
  ]);
});

test('the scenarios in the README exist', () => {
  const names = [...readme.matchAll(/^\| `simulate:([\w-]+)` \|/gm)].map(([, name = '']) => name);
  const known = names.filter((name) => scenarios.some((row) => name === row.name || name.startsWith(`${row.name}-`)));
  expect(known).toEqual(names);
  expect(names).not.toEqual([]);
});

test.each(['README.md', 'CONTRIBUTING.md'])('%s names only files that exist', (file) => {
  const text = readFileSync(file, 'utf8');
  const linked = [...text.matchAll(/\]\(([\w./-]+)\)/g)].map(([, path = '']) => path);
  const quoted = [...text.matchAll(/`((?:src|test|config|docs|\.ci)\/[\w./-]*)`/g)].map(([, path = '']) => path);
  const named = [...linked, ...quoted].filter((path) => path !== usualKeysFile);
  expect(named.filter((path) => !existsSync(path))).toEqual([]);
});

/** The names of all members that a JSON Schema allows. */
function keysIn(schema: unknown): Set<string> {
  if (typeof schema !== 'object' || schema === null) return new Set();
  const { properties = {} } = schema as { properties?: object };
  const own = Array.isArray(schema) ? [] : Object.keys(properties);
  return new Set([...own, ...Object.values(schema).flatMap((value) => [...keysIn(value)])]);
}
