import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { packagesDirectory } from './packages-directory.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Why Python's clients cannot run; empty when they can. */
    pythonMissing: string;
  }
}

const run = promisify(execFile);
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url));
const installed = `${packagesDirectory}/installed.txt`;

let reason = '';

/** Installs Python's package, once for each version of Python and list of requirements. */
export async function setup(project: TestProject): Promise<void> {
  reason = await install();
  report();
  project.provide('pythonMissing', reason);
}

/** Says it again where it is seen: after the results. */
export function teardown(): void {
  report();
}

function report(): void {
  if (reason !== '') process.stdout.write(`\npython: not run (${reason})\n`);
}

async function install(): Promise<string> {
  const version = await run('python3', ['--version']).catch(() => undefined);
  if (version === undefined) return 'there is no python3';
  const wanted = version.stdout + (await readFile(requirements, 'utf8'));
  if ((await readFile(installed, 'utf8').catch(() => '')) === wanted) return '';
  await rm(packagesDirectory, { recursive: true, force: true });
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input', '--retries=1', '--timeout=10'];
  const what = ['--only-binary=:all:', '--no-deps', '--target', packagesDirectory, '--requirement', requirements];
  try {
    await run('python3', ['-m', 'pip', 'install', ...quiet, ...what], { timeout: 100_000 });
  } catch {
    return 'pip could not install openai';
  }
  await writeFile(installed, wanted);
  return '';
}
