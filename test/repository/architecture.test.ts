import { readdirSync, readFileSync } from 'node:fs';
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

test('every file of src that docs/architecture.md names exists', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' });
  const named = [...text.matchAll(/`(?!test\/|simulator\/)([\w/-]+\.ts)`/g)].map(([, name = '']) =>
    name.replace(/^src\//, ''),
  );
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)))).toEqual([]);
});
