import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Command, readCommandLine, runProgram } from '../../src/cli/command-line.ts';
import { compileCache } from '../helpers/compile-cache.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

const command: Command = {
  name: 'work',
  npm: 'npm run work',
  words: 'WORD [--yes] [--name NAME]',
  about: 'Does something.',
  options: { yes: { meaning: 'agrees' }, name: { value: 'NAME', meaning: 'says whose' } },
  maxWords: 1,
  run: async () => {},
};
const usage = 'npm run work -- WORD [--yes] [--name NAME]';

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
    expect(said.stdout).toContain(
      `Usage: ${usage}\n       node dist/main.js ${command.name} ${command.words}\n\nDoes something.\n`,
    );
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
    expect(said.stderr).toBe(`${problem}\nUsage: ${usage}\nRun it with --help for more.\n`);
    expect([said.stdout, process.exitCode]).toEqual(['', 1]);
  });

  describe('runs', () => {
    const ran: unknown[] = [];
    beforeEach(() => ran.splice(0));
    const named = (name: string): Command => ({
      ...command,
      name,
      async run({ values, words }) {
        ran.push([name, { ...values }, words]);
      },
    });
    const commands = [named('start'), named('doctor')] as const;

    test.each<[string[], unknown]>([
      [[], ['start', {}, []]],
      [['start'], ['start', {}, []]],
      [['--yes'], ['start', { yes: true }, []]],
      [
        ['doctor', '--yes', 'cat'],
        ['doctor', { yes: true }, ['cat']],
      ],
    ])('%j', async (args, expected) => {
      await runProgram(commands, args);
      expect([ran, said.stderr, process.exitCode]).toEqual([[expected], '', undefined]);
    });

    test.each([
      ['docter', 'unknown command `docter`, did you mean `doctor`?'],
      ['toString', 'unknown command `toString`'],
      ['\u001b[2J', 'unknown command `\\u001b[2J`'],
    ])('nothing for %j', async (word, problem) => {
      await runProgram(commands, [word]);
      expect(said.stderr).toBe(`${problem}\nUsage: node dist/main.js [start|doctor]\nRun it with --help for more.\n`);
      expect([ran, process.exitCode]).toEqual([[], 1]);
    });

    test('--help without a command lists the commands', async () => {
      await runProgram(commands, ['--help']);
      expect(said.stdout).toMatch(/\n {2}start +Does something\.\n {2}doctor +Does something\.\n$/);
      await runProgram(commands, ['doctor', '--help']);
      expect(said.stdout).toMatch(/--version .*\n$/);
      expect(ran).toEqual([]);
    });

    test.each([true, false])('exits: %s', async (exits) => {
      const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
      vi.mocked(process.stdout.write).mockImplementation((...args: unknown[]) => {
        for (const arg of args) if (typeof arg === 'function') arg();
        return true;
      });
      await runProgram([{ ...command, exits, run: () => Promise.reject(new Error('it broke')) }], []);
      expect(exit.mock.calls).toEqual(exits ? [[]] : []);
      expect(process.exitCode).toBe(1);
    });

    test('a failure is described and exits with 1', async () => {
      const fails = { ...command, run: () => Promise.reject(new Error('it broke')) };
      await runProgram([fails], []);
      expect([said.stderr, process.exitCode]).toEqual(['Error: it broke\n', 1]);
    });
  });
});

describe.each(['dist/main.js', 'src/main.ts'])('%s', (program) => {
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [resolve(program), ...args], {
      env: compileCache,
      encoding: 'utf8',
      stdio: 'pipe',
      cwd: 'test',
    });

  test('--version and an unknown command', () => {
    expect(run('--version')).toBe(`${version}\n`);
    expect(() => run('strat')).toThrow('unknown command `strat`, did you mean `start`?');
  });

  test.each([
    ['start', 'npm start -- [--check]'],
    ['check', 'npm run check-config'],
    ['doctor', 'npm run doctor'],
    ['smoke', 'npm run smoke -- MODEL [--yes]'],
    ['key', 'npm run key -- --name NAME'],
    ['demo', 'npm run demo'],
  ])('%s has --help, and refuses what it does not know', (name, usage) => {
    expect(run(name, '--help')).toContain(`Usage: ${usage}\n       node dist/main.js ${name}`);
    expect(() => run(name, '--no-such-option')).toThrow('unknown option `--no-such-option`');
  });
});

test('npm scripts run the commands', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  for (const name of ['doctor', 'smoke', 'key']) expect(scripts[name]).toBe(`node src/main.ts ${name}`);
  // Without the `--` that npm would need for an option.
  expect(scripts['check-config']).toBe('node src/main.ts check');
  expect(scripts.demo).toMatch(/ src\/main\.ts demo$/);
  expect(scripts.start).toMatch(/ dist\/main\.js$/);
});

describe('the bundle', () => {
  test('does not contain the simulator', () => {
    const bundle = readFileSync('dist/gateway.js', 'utf8');
    expect(bundle).toContain('import("../simulator/start-simulator.ts")');
    expect(bundle).not.toMatch(/from ?["']sharp["']|\/simulator\/ledger/);
  });

  test('says how to run the demo where the simulator is missing', async () => {
    const directory = await temporaryDirectory();
    cpSync('dist', join(directory, 'dist'), { recursive: true });
    const { status, stderr } = spawnSync(process.execPath, ['dist/main.js', 'demo'], {
      cwd: directory,
      env: compileCache,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([1, expect.stringContaining('npm ci && npm run demo')]);
  });
});
