import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { expect, test } from 'vitest';
import { readEnvironment } from '../../src/config/environment.ts';
import { environmentNames } from '../../src/config/environment-checks.ts';

const example = readFileSync('.env.example', 'utf8');

/** The names that the environment is asked for. */
function readNames(): string[] {
  const names: string[] = [];
  const get = (_: object, name: string | symbol) => void names.push(String(name));
  readEnvironment(new Proxy({}, { get }));
  return names;
}

function referencedNames(): string[] {
  const texts = readdirSync('config').map((file) => readFileSync(`config/${file}`, 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/\$\{([A-Za-z_]\w*)/g)].map(([, name = '']) => name));
}

test('.env.example names exactly the variables that are read', () => {
  const read = new Set([...readNames(), ...referencedNames()]);
  expect(Object.keys(parse(example)).sort()).toEqual([...read].sort());
});

test('the variables that suggestions know are those that are read', () => {
  expect([...environmentNames].sort()).toEqual([...new Set(readNames())].sort());
});

test('docs/configuration.md describes every variable', () => {
  const document = readFileSync('docs/configuration.md', 'utf8');
  expect(Object.keys(parse(example)).filter((name) => !document.includes(`\`${name}\``))).toEqual([]);
});

test('.env.example as it is, with an endpoint and a key, gives the default environment', () => {
  expect(readEnvironment(parse(example))).toEqual(readEnvironment({}));
});
