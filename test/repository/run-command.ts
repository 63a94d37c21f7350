import { execFile } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { defaultKeysFile } from '../../src/config/environment.ts';
import { compileCache } from '../helpers/compile-cache.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** A temporary directory that looks like a fresh clone to npm, so that commands write nothing into this one. */
export async function checkout(): Promise<string> {
  const directory = await temporaryDirectory();
  for (const name of ['package.json', '.env.example', 'config']) {
    cpSync(name, join(directory, name), { recursive: true, filter: (path) => path !== defaultKeysFile });
  }
  for (const name of ['src', 'simulator', 'scripts', 'build.ts', 'node_modules'])
    symlinkSync(resolve(name), join(directory, name));
  return directory;
}

/**
 * Runs a command of a document and returns what it prints. Of this environment it inherits only `PATH`. Rejects on an exit
 * code other than 0.
 */
export async function runCommand(command: string, cwd: string): Promise<string> {
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
  const env = { ...compileCache, PATH, HOME: cwd, npm_config_update_notifier: 'false' };
  const options = { cwd, env, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', unattended(command)], options);
  return stdout;
}

/** Without a terminal, `npm run smoke` cannot ask for confirmation. */
function unattended(command: string): string {
  return command.replace(/^npm run smoke .*$/, '$& --yes');
}
