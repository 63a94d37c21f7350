import { execFileSync, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeKey } from '../../src/cli/key.ts';
import { parseKeys } from '../../src/config/load-keys.ts';

const program = ['src/main.ts', 'key'];

test('a key has 256 random bits behind a prefix, and is known by its hash', () => {
  const { key, sha256 } = makeKey();
  expect(key).toMatch(/^aig_[A-Za-z0-9_-]{43}$/);
  expect(sha256).toBe(hash('sha256', key, 'hex'));
  expect(new Set(Array.from({ length: 100 }, () => makeKey().key)).size).toBe(100);
});

test('the program shows a key once, and an entry that the keys file takes', () => {
  const text = execFileSync(process.execPath, [...program, '--name', 'web-shop'], { encoding: 'utf8' });
  const keys = text.match(/aig_[\w-]{43}/g) ?? [];
  expect(keys).toHaveLength(1);
  const [entry = ''] = /^ {2}"web-shop": .*$/m.exec(text) ?? [];
  const context = { variables: {}, models: { models: [], aliases: new Map(), currency: 'USD', prices: new Map() } };
  expect(parseKeys(`{"callers":{${entry}}}`, context).consumers).toMatchObject([
    { name: 'web-shop', keys: [{ sha256: hash('sha256', keys[0] ?? '', 'hex') }] },
  ]);
});

test.each([[[]], [['--name', '']], [['--name', 'a b']], [['--name', '"']]])(
  'with %j it says what it needs',
  (words) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [...program, ...words], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('npm run key -- --name NAME');
  },
);
