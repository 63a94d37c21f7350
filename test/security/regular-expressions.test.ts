import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

// Callers and upstreams choose what patterns are tried on, but for those of the configuration. One that goes back and forth takes minutes for a header's worth
// of text; the time limit of the test is what notices that.

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

/** Every literal of the source: after something that a value may follow, and without a line break. */
function patternsIn(source: string): RegExp[] {
  const literals = source.matchAll(
    /(?<=[=(,:[!&|?{;]\s*|return )\/(?![*/])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/([dgimsuvy]*)/g,
  );
  return [...literals].map(([, text = '', flags = '']) => new RegExp(text, flags.replace(/[gy]/g, '')));
}

const patterns = files
  .filter((name) => !/^(?:simulator|config)/.test(name))
  .flatMap((name) => patternsIn(readFileSync(join('src', name), 'utf8')));

/** What a pattern could begin to match again and again: its own characters, and what it is made for. */
function attacksOn({ source }: RegExp): string[] {
  const characters = new Set([
    'a',
    '0',
    ' ',
    '\t',
    '/',
    '\\',
    '-',
    '.',
    ',',
    '%',
    '=',
    '"',
    '$',
    '{',
    '\n',
    ':',
    ...source,
  ]);
  const repeated = [...characters].map((character) => character.repeat(20_000));
  const words = ['Bearer ', 'https://', '/images/', '%3a', 'a.', 'a,', '${A', 'a=b;', ' 0', '0 ', '"\\'];
  return [...repeated, ...words.map((word) => word.repeat(5_000))].flatMap((text) => [`${text}\u0000`, `x${text}!`]);
}

test('are found in the source', () => expect(patterns.length).toBeGreaterThan(40));

test('take a long text in their stride', () => {
  for (const pattern of patterns) for (const text of attacksOn(pattern)) pattern.test(text);
});
