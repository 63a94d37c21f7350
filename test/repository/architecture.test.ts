import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const text = readFileSync('docs/architecture.md', 'utf8');

/** The rooms of the table, with what each may import. */
const rooms = new Map(
  [...text.matchAll(/^\| `(\w+)` \| (.+?) \|/gm)].map(([, room = '', imports = '']) => [
    room,
    [...imports.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  ]),
);

/** The rooms that the files of a room import, as their paths say. */
function importsOf(room: string): Set<string> {
  const found = new Set<string>();
  for (const file of readdirSync(`src/${room}`, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const up = '../'.repeat(file.split('/').length);
    const source = readFileSync(`src/${room}/${file}`, 'utf8');
    for (const [, path = ''] of source.matchAll(/ from '([^']+)'/g)) {
      const other = path.startsWith(up) ? path.slice(up.length).split('/')[0] : undefined;
      // `..` is the manifest beside `src`.
      if (other !== undefined && other !== '..') found.add(other);
    }
  }
  return found;
}

const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());

test('every folder is a room of docs/architecture.md', () => {
  expect([...rooms.keys()].sort()).toEqual(folders.map(({ name }) => name).sort());
});

test.each([...rooms])('%s imports what docs/architecture.md says', (room, imports) => {
  expect([...importsOf(room)].sort()).toEqual([...imports].sort());
});

test('every file of src that docs/architecture.md names exists', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' });
  const named = [...text.matchAll(/`(?!test\/)([\w/-]+\.ts)`/g)].map(([, name = '']) => name.replace(/^src\//, ''));
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)))).toEqual([]);
});
