import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, type TestContext } from 'vitest';
import { gatewayKey } from '../rig.ts';
import { type PackageSet, packagesDirectory } from './package-sets.ts';

/** A Python program of this folder that makes one check, and the packages that it imports. */
export type Program = { readonly file: string; readonly packages: PackageSet };

/** Skips a test whose packages could not be installed. */
export function requirePackages(context: TestContext, { packages }: Program): void {
  const missing = inject('pythonMissing')[packages];
  context.skip(missing !== '', `python: not run (${missing})`);
}

/** Runs a program with the gateway at this address. What it says about a failure is the test's. */
export async function runCheck(
  { file, packages }: Program,
  words: readonly string[],
  url: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { PATH = '' } = process.env;
  const env = {
    PATH,
    PYTHONPATH: packagesDirectory(packages),
    PYTHONDONTWRITEBYTECODE: '1',
    GATEWAY_URL: url,
    GATEWAY_KEY: gatewayKey,
    ...variables,
  };
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn('python3', [path, ...words], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(exitCode, said).toBe(0);
}
