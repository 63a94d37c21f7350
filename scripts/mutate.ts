import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Mutation, mutations } from './mutations.ts';

// Breaks one condition at a time in a copy of the tree, and runs the tests that should notice. `npm run mutate -- WORDS`
// plays those whose description holds the words. Exit code 1: a mutation survived, or could not be played.

const { positionals } = parseArgs({ allowPositionals: true });
const words = positionals.join(' ');
const chosen = mutations.filter(({ breaks }) => breaks.includes(words));
const root = fileURLToPath(new URL('..', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'mutate-'));
const reportFile = join(copy, 'report.json');

type Verdict = 'killed' | 'survived' | `not played: ${string}`;

function main(): void {
  const verdicts = [...playAll()];
  const killed = verdicts.filter((verdict) => verdict === 'killed').length;
  const survived = verdicts.filter((verdict) => verdict === 'survived').length;
  const unplayed = verdicts.length - killed - survived;
  process.stdout.write(`${killed} killed, ${survived} survived${unplayed > 0 ? `, ${unplayed} not played` : ''}\n`);
  if (killed < verdicts.length || verdicts.length === 0) process.exitCode = 1;
}

function* playAll(): Generator<Verdict> {
  copyTree();
  const failing = failuresWith([...new Set(chosen.flatMap(({ tests }) => tests))], []);
  if (failing !== 0) {
    process.stdout.write(`The tests fail without any mutation: ${failing}\n`);
    return;
  }
  for (const mutation of chosen) {
    const verdict = play(mutation);
    process.stdout.write(`${verdict.padEnd(8)}  ${mutation.breaks}\n`);
    yield verdict;
  }
}

function copyTree(): void {
  const left = new Set(['node_modules', '.git', 'dist', 'data', 'coverage']);
  cpSync(root, copy, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

function play({ find, replace, tests }: Mutation): Verdict {
  const found = globSync('src/**/*.ts', { cwd: copy }).filter((file) => read(file).includes(find));
  const [file] = found;
  if (file === undefined) return 'not played: its text is not in src/';
  const original = read(file);
  if (found.length > 1 || original.split(find).length > 2) return `not played: its text stands twice, in ${found}`;
  // Not as a pattern: `$` has a meaning there.
  writeFileSync(
    join(copy, file),
    original.replace(find, () => replace),
  );
  try {
    // What a mutation leaves hanging is noticed, too, and need not be waited for as long as a busy machine may take.
    const failing = failuresWith(tests, ['--bail=1', '--testTimeout=20000']);
    if (typeof failing === 'string') return `not played: ${failing}`;
    return failing > 0 ? 'killed' : 'survived';
  } finally {
    writeFileSync(join(copy, file), original);
  }
}

function read(file: string): string {
  return readFileSync(join(copy, file), 'utf8');
}

/** How many tests fail, or why that cannot be said: a file that cannot be loaded has noticed nothing. */
function failuresWith(filters: readonly string[], options: readonly string[]): number | string {
  const unknown = filters.filter((filter) => globSync(`${filter}*`, { cwd: copy }).length === 0);
  if (unknown.length > 0) return `no test is called ${unknown.join(', ')}`;
  rmSync(reportFile, { force: true });
  const args = ['run', '--reporter=json', `--outputFile=${reportFile}`, ...options, ...filters];
  const { stdout, stderr } = spawnSync(join(copy, 'node_modules/.bin/vitest'), args, { cwd: copy, encoding: 'utf8' });
  const report = readReport();
  if (report === undefined) return `vitest has not reported: ${stdout}${stderr}`;
  if (report.numFailedTests === 0 && !report.success) return `a file cannot be loaded: ${stdout}${stderr}`;
  return report.numFailedTests;
}

function readReport(): { readonly numFailedTests: number; readonly success: boolean } | undefined {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    return undefined;
  }
}

try {
  main();
} finally {
  rmSync(copy, { recursive: true, force: true });
}
