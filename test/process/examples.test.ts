import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { startDemo } from '../end-to-end/start-demo.ts';
import { type Block, blocksOf, documents } from '../repository/documents.ts';
import { resultOf } from '../repository/expected-results.ts';
import { needsClientPackages } from '../repository/needs-client-packages.ts';
import { notRun } from '../repository/not-run.ts';
import { checkout, runCommand } from '../repository/run-command.ts';
import { expectProgram } from '../repository/run-program.ts';

const blocks = documents.flatMap(blocksOf);
const inLanguages = (...names: string[]) => blocks.filter(({ language }) => names.includes(language));
const programs = inLanguages('js');
const shells = inLanguages('sh', 'bash');

/** The commands of a block, without its comments. */
function commandsOf({ text }: Block): string[] {
  const lines = text.split('\n').map((line) => line.replace(/(^|\s+)# .*$/, '').trim());
  return lines.filter((line) => line !== '');
}

const commands = shells.flatMap((block) => commandsOf(block).map((command) => ({ command, place: block.place })));

test('every block has a known language, which says whether it is run', () => {
  const known = ['js', 'sh', 'bash', 'python', 'ini', 'jsonc', 'mermaid', 'nginx', 'text', 'yaml'];
  const others = blocks.filter(({ language }) => !known.includes(language));
  expect(others.map(({ place, language }) => `${place}: ${language}`)).toEqual([]);
});

describe('the program', () => {
  // The others are run by test/clients/examples.test.ts.
  test.each(programs.filter((block) => !needsClientPackages(block)))(
    'at $place saves whole images',
    async ({ text }) => {
      const demo = await startDemo();
      await expectProgram(demo.here(text), { packages: 'node_modules' });
    },
  );
});

describe('the commands', () => {
  const run = shells.filter((block) => commandsOf(block).some((command) => !(command in notRun)));

  test.each(run)('at $place have the expected result', { timeout: 60_000 }, async (block) => {
    const demo = await startDemo();
    const directory = await checkout();
    for (const command of commandsOf(block).filter((one) => !(one in notRun))) {
      const expectResult = resultOf(command);
      expect(expectResult, `expected-results.ts has no check for: ${command}`).toBeDefined();
      if (command.includes('@cat.png')) await writeFile(join(directory, 'cat.png'), await catImage());
      const stdout = await runCommand(demo.here(command), directory);
      await expectResult?.(command, { stdout, directory, simulator: demo.simulator });
    }
  });

  test.each(commands)('at $place are valid shell: $command', ({ command }) => {
    expect(spawnSync('bash', ['-n', '-c', command], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  test('name only scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const named = commands.flatMap(({ command }) => [...command.matchAll(/\bnpm (?:run )?([\w:]+)/g)]);
    const names = named.map(([, name = '']) => name).filter((name) => name !== 'ci');
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !(name in scripts))).toEqual([]);
  });

  test.each(commands.filter(({ command }) => command.startsWith('docker ')))('name services: $command', (one) => {
    const [, profile, service] =
      /^docker compose (?:--profile (\w+) )?(?:up --build|run --rm) (\w+)(?: node|$)/.exec(one.command) ?? [];
    const compose = readFileSync('docker-compose.yml', 'utf8');
    const [, body = ''] = new RegExp(`^  ${service}:\\n((?: {4,}.*\\n)+)`, 'm').exec(compose) ?? [];
    expect(body).toMatch(/ (?:build|image): /);
    expect(/ profiles: \[(\w+)\]/.exec(body)?.[1]).toBe(profile);
  });

  test('in not-run.ts are in the documents', () => {
    const known = commands.map(({ command }) => command);
    expect(Object.keys(notRun).filter((command) => !known.includes(command))).toEqual([]);
  });

  test('in not-run.ts refer to tests that exist', () => {
    const named = Object.values(notRun).flatMap((reason) => reason.match(/test\/[\w./-]+\.ts/g) ?? []);
    expect(named.filter((path) => !existsSync(path))).toEqual([]);
  });
});

function catImage(): Promise<Buffer> {
  const background = { r: 200, g: 80, b: 40 };
  return sharp({ create: { width: 1024, height: 1024, channels: 3, background } })
    .png()
    .toBuffer();
}
