import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Command, readCommandLine } from '../../src/cli/command-line.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

const command: Command = {
  usage: 'npm run test -- WORD [--yes] [--name NAME]',
  about: 'Does something.',
  options: { yes: { meaning: 'agrees' }, name: { value: 'NAME', meaning: 'says whose' } },
  maxWords: 1,
};

describe('a command line', () => {
  const said = { stdout: '', stderr: '' };
  beforeEach(() => {
    Object.assign(said, { stdout: '', stderr: '' });
    for (const name of ['stdout', 'stderr'] as const) {
      vi.spyOn(process[name], 'write').mockImplementation((text) => {
        said[name] += text;
        return true;
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });

  test('gives options and words', () => {
    expect(readCommandLine(command, [])).toEqual({ values: {}, words: [] });
    const { values, words } = readCommandLine(command, ['cat', '--yes', '--name', 'me']) ?? {};
    expect({ ...values, words }).toEqual({ yes: true, name: 'me', words: ['cat'] });
    expect(readCommandLine(command, ['--', '--yes'])?.words).toEqual(['--yes']);
  });

  test.each([['--help'], ['-h'], ['--yes', '--help'], ['--wrong', '--help']])('%s: help, and the end', (...args) => {
    expect(readCommandLine(command, args)).toBeUndefined();
    expect(said.stdout).toContain(`Usage: ${command.usage}\n\nDoes something.\n`);
    for (const name of ['--yes', '--name NAME', '--help', '--version']) expect(said.stdout).toContain(`  ${name} `);
    expect([said.stderr, process.exitCode]).toEqual(['', undefined]);
  });

  test('--version: the version, and the end', () => {
    expect(readCommandLine(command, ['--version'])).toBeUndefined();
    expect([said.stdout, process.exitCode]).toEqual([`${version}\n`, undefined]);
  });

  test.each([
    [['--yse'], 'unknown option `--yse`, did you mean `--yes`?'],
    [['-y'], 'unknown option `-y`'],
    [['--toString'], 'unknown option `--toString`'],
    [['--yes=canary'], '`--yes` takes no value'],
    [['--name'], '`--name` needs a value'],
    [['--api-key=canary'], 'unknown option `--api-key`'],
    [['a', 'b'], 'unexpected argument `b`'],
    [['a', '\u001b[2Jb'], 'unexpected argument `\\u001b[2Jb`'],
  ])('%j is refused', (args, problem) => {
    expect(readCommandLine(command, args)).toBeUndefined();
    expect(said.stderr).toBe(`${problem}\nUsage: ${command.usage}\n--help tells more.\n`);
    expect([said.stdout, process.exitCode]).toEqual(['', 1]);
  });
});

describe('every program', () => {
  const programs = ['dist/main.js', 'src/main.ts', 'src/cli/doctor.ts', 'src/cli/smoke.ts', 'src/cli/key.ts'];
  const run = (program: string, ...args: string[]) =>
    execFileSync(process.execPath, [resolve(program), ...args], {
      env: {},
      encoding: 'utf8',
      stdio: 'pipe',
      cwd: 'test',
    });

  test.each(programs)('%s has --help and --version, and refuses what it does not know', (program) => {
    expect(run(program, '--help')).toMatch(/^Usage: npm (?:start|run (?:doctor|smoke|key))\b/);
    expect(run(program, '--version')).toBe(`${version}\n`);
    expect(() => run(program, '--no-such-option')).toThrow('unknown option `--no-such-option`');
  });
});

test('npm run check-config checks without the `--` that npm would eat', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  expect(scripts['check-config']).toBe('node src/main.ts --check');
});
