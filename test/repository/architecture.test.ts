import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { moduleImports } from '../../scripts/modules/rules.ts';

const text = readFileSync('docs/architecture.md', 'utf8');

/** The modules of the table, with what each may import. */
const modules = new Map(
  [...text.matchAll(/^\| `(\w+)` \| (.+?) \|/gm)].map(([, module = '', imports = '']) => [
    module,
    [...imports.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  ]),
);

const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());

test('every folder of src is a module of docs/architecture.md', () => {
  expect([...modules.keys()].sort()).toEqual(folders.map(({ name }) => name).sort());
});

test.each([...modules].filter(([module]) => module !== 'cli'))(
  'the rule for %s is as docs/architecture.md says',
  (module, imports) => {
    expect([...(moduleImports[module] ?? [])].sort()).toEqual([...imports].sort());
  },
);

test('every file and folder that docs/architecture.md names exists', () => {
  const named = [...text.matchAll(/`((?:[\w-]+\/)+(?:[\w.-]+)?|[\w-]+(?:\/[\w-]+)+)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((path) => !existsSync(path) && !existsSync(`src/${path}`))).toEqual([]);
});
