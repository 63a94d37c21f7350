import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readReport } from '../../scripts/audit/advisories.ts';
import { isAllowed, productionPackages } from '../../scripts/audit/licences.ts';

describe('licences', () => {
  test('of all packages of production are allowed', () => {
    const packages = productionPackages('.');
    expect(packages.length).toBeGreaterThan(100);
    expect(packages.filter(({ licence }) => !isAllowed(licence))).toEqual([]);
  });

  test.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['MIT AND ISC', true],
    ['MIT AND GPL-3.0-only', false],
    ['MIT AND (ISC OR GPL-3.0-only)', false],
    ['GPL-3.0-only', false],
    ['SEE LICENSE IN LICENSE.md', false],
    ['UNLICENSED', false],
    ['mit', false],
    ['', false],
    [undefined, false],
  ])('%s: %s', (licence, expected) => expect(isAllowed(licence)).toBe(expected));
});

const via = (severity: string) => ({ severity, title: 'A hole', url: 'https://advisories.example/1' });
const vulnerable = (severity: string) =>
  JSON.stringify({
    vulnerabilities: {
      deep: { name: 'deep', isDirect: false, via: [via(severity), via('low')], effects: ['middle'] },
      middle: { name: 'middle', isDirect: false, via: ['deep'], effects: ['ours'] },
      ours: { name: 'ours', isDirect: true, via: ['middle'], effects: [] },
    },
  });
const harmless = JSON.stringify({ vulnerabilities: {} });

describe('advisories', () => {
  test('come with the path from our own dependency, the worst first', () => {
    expect(readReport(vulnerable('high'))).toEqual({
      known: ['high', 'low'].map((severity) => ({
        ...via(severity),
        package: 'deep',
        path: ['ours', 'middle', 'deep'],
      })),
    });
  });

  test.each([
    ['a registry that has none', '{"message":"405","error":{"summary":"","detail":""}}', '405'],
    ['no network', '{"error":{"summary":"request to https://registry failed"}}', 'request to https://registry failed'],
    ['no report', 'npm error', 'npm audit printed no report'],
    ['an empty report', '{}', 'npm audit gave no reason'],
  ])('that could not be fetched do not count as none: %s', (_, text, unavailable) => {
    expect(readReport(text)).toEqual({ unavailable });
  });
});

/** Runs the program where one package has this licence, with an npm that prints this report. */
function audit({ licence, report }: { licence: unknown; report: string }) {
  const directory = mkdtempSync(join(tmpdir(), 'audit-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const lock = {
    packages: {
      '': {},
      'node_modules/@a/b': { version: '1.0.0' },
      'node_modules/@a/b/node_modules/c': { version: '2.0.0', license: 'ISC' },
      'node_modules/d': { dev: true, version: '3.0.0', license: 'GPL-3.0-only' },
    },
  };
  mkdirSync(join(directory, 'node_modules/@a/b'), { recursive: true });
  writeFileSync(join(directory, 'package-lock.json'), JSON.stringify(lock));
  writeFileSync(
    join(directory, 'node_modules/@a/b/package.json'),
    JSON.stringify({ version: '1.0.0', license: licence }),
  );
  writeFileSync(join(directory, 'report.json'), report);
  writeFileSync(join(directory, 'npm'), `#!/bin/sh\ncat ${join(directory, 'report.json')}\nexit 1\n`);
  chmodSync(join(directory, 'npm'), 0o755);
  const env = { PATH: [directory, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter) };
  const program = resolve('scripts/audit/main.ts');
  const { status, stdout } = spawnSync(process.execPath, [program], { cwd: directory, env, encoding: 'utf8' });
  return { status, stdout };
}

describe('npm run audit', () => {
  test.each([
    ['a good tree', 'MIT', harmless, 0, 'No advisories.'],
    ['a licence of the old form', { type: 'MIT' }, harmless, 0, '@a/b@1.0.0'],
    ['a low advisory', 'MIT', vulnerable('low'), 0, 'low: ours > middle > deep: A hole'],
    ['a high advisory', 'MIT', vulnerable('high'), 1, 'high: ours > middle > deep: A hole'],
    ['a critical advisory', 'MIT', vulnerable('critical'), 1, 'critical: ours'],
    [
      'a licence that is not allowed',
      'GPL-3.0-only',
      harmless,
      1,
      'NOT ALLOWED: @a/b@1.0.0 has the licence GPL-3.0-only',
    ],
    ['no licence', undefined, harmless, 1, 'NOT ALLOWED: @a/b@1.0.0 has the licence none'],
    ['an unreachable registry', 'MIT', '{"message":"405"}', 2, 'Advisories were NOT checked'],
    ['the same and a bad licence', 'GPL-3.0-only', '{}', 1, 'NOT ALLOWED'],
  ])('with %s', (_, licence, report, status, text) => {
    const done = audit({ licence, report });
    expect(done.stdout).toContain(text);
    expect(done.stdout).toContain('Licences of 2 packages of production');
    expect(done.status).toBe(status);
  });
});
