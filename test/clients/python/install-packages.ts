import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { type PackageSet, packageSets, packagesDirectory, requirementsFile } from './package-sets.ts';

type Reasons = Readonly<Record<PackageSet, string>>;

declare module 'vitest' {
  interface ProvidedContext {
    /** Why Python's clients cannot run, for each set of packages; empty when they can. */
    pythonMissing: Reasons;
  }
}

const run = promisify(execFile);

let reasons: Partial<Reasons> = {};

/** Installs Python's packages, once for each version of Python and list of requirements. */
export async function setup(project: TestProject): Promise<void> {
  const version = await run('python3', ['--version']).catch(() => undefined);
  const found = await Promise.all(packageSets.map(async (set) => [set, await install(set, version?.stdout)]));
  reasons = Object.fromEntries(found);
  report();
  project.provide('pythonMissing', reasons as Reasons);
}

/** Says it again where it is seen: after the results. */
export function teardown(): void {
  report();
}

function report(): void {
  for (const reason of new Set(Object.values(reasons))) {
    if (reason !== '') process.stdout.write(`\npython: not run (${reason})\n`);
  }
}

async function install(set: PackageSet, version: string | undefined): Promise<string> {
  if (version === undefined) return 'there is no python3';
  const directory = packagesDirectory(set);
  const installed = `${directory}/installed.txt`;
  const wanted = version + (await readFile(requirementsFile(set), 'utf8'));
  if ((await readFile(installed, 'utf8').catch(() => '')) === wanted) return '';
  await rm(directory, { recursive: true, force: true });
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input', '--retries=1', '--timeout=10'];
  const what = ['--only-binary=:all:', '--no-deps', '--target', directory, '--requirement', requirementsFile(set)];
  try {
    await run('python3', ['-m', 'pip', 'install', ...quiet, ...what], { timeout: 300_000 });
  } catch {
    return `pip could not install ${set}`;
  }
  await writeFile(installed, wanted);
  return '';
}
