import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { contentOf } from '../../src/cli/configuration.ts';
import { createReload, type Prepare, type Trigger } from '../../src/cli/reload.ts';
import { ConfigError } from '../../src/config/problems.ts';

const patience = { timeout: 5_000, interval: 5 };
const intervalMs = 10;

/** A reload of files that hold words; `bad` ones are refused. What is in force is what was put in force last. */
function rig(
  names: readonly string[] = ['models'],
  { isEnding = () => false, prepareMs = 0 }: { isEnding?: () => boolean; prepareMs?: number } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'reload-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const inForce: Record<string, string> = {};
  const results: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const steps: string[] = [];
  const path = (name: string) => join(folder, name);
  const prepare: Prepare = async (variables) => {
    const texts = names.map((name) => wordIn(path(name)));
    const text = texts.join(' ');
    steps.push(`begin ${text}`);
    await wait(prepareMs);
    if (text === 'bug') throw new TypeError('not foreseen');
    return () => {
      steps.push(`end ${text}`);
      for (const [index, name] of names.entries()) inForce[name] = `${texts[index]}${variables.MORE ?? ''}`;
    };
  };
  for (const name of names) writeFileSync(path(name), 'first');
  const variables = { MORE: '' };
  const logger = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(JSON.parse(line)) });
  const files = [...names, '.env'].map(path);
  const recorder = { reloadEnded: (result: string) => results.push(result) };
  const readVariables = () => variables;
  const content = contentOf(files);
  const { now, watch } = createReload({ prepare, files, readVariables, recorder, logger, isEnding, content });
  const watching = () => {
    const ended = new AbortController();
    onTestFinished(() => ended.abort());
    watch({ intervalMs, signal: ended.signal }).catch(() => {});
  };
  return { path, now, watching, inForce, results, lines, steps, variables };
}

function wordIn(file: string): string {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new ConfigError(file, [problem('cannot be read', 1)]);
  const text = readFileSync(file, 'utf8');
  if (text.startsWith('bad')) throw new ConfigError(file, [problem(text, 1), problem(text, 2)]);
  return text;
}

const problem = (path: string, line: number) => ({ path, line, message: 'is bad' });

/** So many looks at the files have passed at least. */
const looks = (count: number) => wait(count * intervalMs + 20);

describe('a reload', () => {
  test.each<Trigger>(['SIGHUP', 'change'])(
    'for a %s: what is new is put in force, counted and logged',
    async (trigger) => {
      const { path, now, inForce, results, lines } = rig();
      writeFileSync(path('models'), 'second');
      await now(trigger);
      expect(inForce).toEqual({ models: 'second' });
      expect(results).toEqual(['applied']);
      expect(lines).toEqual([{ level: 30, trigger, msg: 'reloaded' }]);
    },
  );

  test('of the same content happens when it is asked for, and not for a change', async () => {
    const { now, inForce, results } = rig();
    await now('change');
    expect([inForce, results]).toEqual([{}, []]);
    await now('SIGHUP');
    expect([inForce, results]).toEqual([{ models: 'first' }, ['applied']]);
  });

  test('with problems: all are logged and nothing changes, each time it is asked for, and once for a change', async () => {
    const { path, now, inForce, results, lines } = rig();
    writeFileSync(path('models'), 'bad');
    await now('change');
    await now('change');
    await now('SIGHUP');
    expect(inForce).toEqual({});
    expect(results).toEqual(['refused', 'refused']);
    const problems = [`Problems in ${path('models')}:`, 'bad (line 1): is bad', 'bad (line 2): is bad'];
    expect(lines).toEqual(
      ['change', 'SIGHUP'].map((trigger) => expect.objectContaining({ level: 50, trigger, problems })),
    );
  });

  test('of what it was before a refused one puts that in force again', async () => {
    const { path, now, inForce, results } = rig();
    writeFileSync(path('models'), 'bad');
    await now('change');
    writeFileSync(path('models'), 'first');
    await now('change');
    expect([inForce, results]).toEqual([{ models: 'first' }, ['refused', 'applied']]);
  });

  test('of several files: all or none', async () => {
    const { path, now, inForce } = rig(['models', 'keys']);
    writeFileSync(path('models'), 'second');
    writeFileSync(path('keys'), 'bad');
    await now('change');
    expect(inForce).toEqual({});
    writeFileSync(path('models'), 'third');
    writeFileSync(path('keys'), 'fourth');
    await now('change');
    expect(inForce).toEqual({ models: 'third', keys: 'fourth' });
  });

  test('that fails by a mistake of ours changes nothing, and the next one works', async () => {
    const { path, now, inForce, lines } = rig();
    writeFileSync(path('models'), 'bug');
    await now('SIGHUP');
    expect(lines[0]).toMatchObject({ level: 50, problems: ['not foreseen'] });
    writeFileSync(path('models'), 'second');
    await now('SIGHUP');
    expect(inForce).toEqual({ models: 'second' });
  });

  test('never runs beside another one: the last word is the last one’s', async () => {
    const { path, now, inForce, steps } = rig(['models'], { prepareMs: 20 });
    const reloads = ['second', 'third', 'bad', 'fourth'].map(async (word) => {
      writeFileSync(path('models'), word);
      return now('SIGHUP');
    });
    await Promise.all(reloads);
    expect(steps).toEqual([
      'begin fourth',
      'end fourth',
      'begin fourth',
      'end fourth',
      'begin fourth',
      'end fourth',
      'begin fourth',
      'end fourth',
    ]);
    expect(inForce).toEqual({ models: 'fourth' });
  });

  test('while the process ends does nothing, also when that begins in the middle', async () => {
    let isEnding = false;
    const { path, now, inForce, results, steps } = rig(['models'], { isEnding: () => isEnding, prepareMs: 10 });
    writeFileSync(path('models'), 'second');
    const reload = now('SIGHUP');
    await expect.poll(() => steps, patience).toEqual(['begin second']);
    isEnding = true;
    await reload;
    await now('SIGHUP');
    expect([inForce, results, steps]).toEqual([{}, [], ['begin second']]);
  });
});

describe('watched files', () => {
  test('a change is seen, once', async () => {
    const { path, watching, inForce, results } = rig();
    watching();
    writeFileSync(path('models'), 'second');
    await expect.poll(() => inForce, patience).toEqual({ models: 'second' });
    await looks(5);
    expect(results).toEqual(['applied']);
  });

  test('a change between the start and the first look is seen, and no change is none', async () => {
    const { path, watching, results, inForce } = rig();
    watching();
    await looks(5);
    expect(results).toEqual([]);
    const late = rig();
    writeFileSync(late.path('models'), 'second');
    late.watching();
    await expect.poll(() => late.inForce, patience).toEqual({ models: 'second' });
    writeFileSync(path('models'), 'other');
    await expect.poll(() => inForce, patience).toEqual({ models: 'other' });
  });

  test('a change of .env alone is one of the configuration', async () => {
    const { path, watching, inForce, variables } = rig();
    watching();
    variables.MORE = ' and more';
    writeFileSync(path('.env'), 'MORE=more');
    await expect.poll(() => inForce, patience).toEqual({ models: 'first and more' });
  });

  test('a touch that changes nothing is no reload, and a bad file that is touched is not told again', async () => {
    const { path, watching, results } = rig();
    watching();
    await looks(3);
    writeFileSync(path('models'), 'first');
    await looks(5);
    expect(results).toEqual([]);
    writeFileSync(path('models'), 'bad');
    await expect.poll(() => results, patience).toEqual(['refused']);
    writeFileSync(path('models'), 'bad');
    await looks(5);
    expect(results).toEqual(['refused']);
    writeFileSync(path('models'), 'bad again');
    await expect.poll(() => results, patience).toEqual(['refused', 'refused']);
  });

  test('a link on the way that is pointed elsewhere is a change, as ConfigMaps do it', async () => {
    const { path, watching, inForce } = rig();
    for (const [version, word] of [
      ['..1', 'first'],
      ['..2', 'other'],
    ] as const) {
      mkdirSync(path(version));
      writeFileSync(join(path(version), 'models'), word);
    }
    symlinkSync('..1', path('..data'));
    await rm(path('models'));
    await symlink('..data/models', path('models'));
    watching();
    await looks(3);
    expect(inForce).toEqual({});
    await symlink('..2', path('..data_tmp'));
    await rename(path('..data_tmp'), path('..data'));
    await expect.poll(() => inForce, patience).toEqual({ models: 'other' });
  });

  test('a file that is gone for a moment is told once, and read when it is back', async () => {
    const { path, watching, inForce, results, lines } = rig();
    watching();
    await rm(path('models'));
    await expect.poll(() => results, patience).toEqual(['refused']);
    await looks(5);
    expect(lines).toHaveLength(1);
    await writeFile(path('models'), 'second');
    await expect.poll(() => inForce, patience).toEqual({ models: 'second' });
    // A directory cannot be read, whoever tries.
    await rm(path('models'));
    mkdirSync(path('models'));
    await expect.poll(() => results.at(-1), patience).toBe('refused');
    await rm(path('models'), { recursive: true });
    await writeFile(path('models'), 'third');
    await expect.poll(() => inForce, patience).toEqual({ models: 'third' });
  });
});
