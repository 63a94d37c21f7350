import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { startOptions } from '../../bench/contestants/start-options.ts';
import { compileCache } from '../helpers/compile-cache.ts';
import { findSecrets } from '../helpers/search-secrets.ts';

export type Program = {
  readonly child: ChildProcess;
  /** Where it runs; its models file is `models.json` there, unless its environment says otherwise. */
  readonly directory: string;
  /** Everything printed so far. */
  readonly output: { stdout: string; stderr: string };
  /** The exit code; rejects when a signal ended the process. */
  readonly exited: Promise<number>;
  /** The gateway's URL once it listens; rejects when it ends instead. */
  listening(): Promise<string>;
};

type Start = {
  /** `start` by default. */
  readonly command?: 'check' | 'demo' | 'doctor' | 'smoke';
  /** Content of the models file: text as it is, anything else as JSON. */
  readonly models?: unknown;
  /** Further files, by their paths in its directory. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  readonly env?: Record<string, string>;
  readonly arguments?: readonly string[];
  readonly nodeOptions?: readonly string[];
  /** Whether it looks at its files all the time, and not every five seconds. */
  readonly polls?: boolean;
  /** A descriptor for its standard output, in place of a pipe that is read into `output`. */
  readonly stdout?: number;
};

/**
 * Starts a command of the built program with an environment of its own, and in a directory of its own; only the demo, whose files have
 * fixed places, starts where they are. The process ends with the test.
 */
export async function startProgram(start: Start): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-'));
  const modelsFile = join(directory, 'models.json');
  const { models } = start;
  if (models !== undefined) await writeFile(modelsFile, typeof models === 'string' ? models : JSON.stringify(models));
  for (const [path, content] of Object.entries(start.files ?? {})) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  const entry = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const words = [...(start.command ? [start.command] : []), ...(start.arguments ?? [])];
  // It is killed in the end: what it has in the system's temporary directory goes with its own.
  const defaults = { PORT: '0', MODELS_FILE: modelsFile, DATA_DIR: join(directory, 'data'), TMPDIR: directory };
  const env = { ...compileCache, ...defaults, GATEWAY_API_KEYS: 'program-key', ...start.env };
  const polling = start.polls ? ['--import', new URL('quick-poll.ts', import.meta.url).href] : [];
  const nodeOptions = [...startOptions, ...polling, ...(start.nodeOptions ?? [])];
  const child = spawn(process.execPath, [...nodeOptions, entry, ...words], {
    cwd: start.command === 'demo' ? fileURLToPath(new URL('../..', import.meta.url)) : directory,
    env,
    stdio: ['ignore', start.stdout ?? 'pipe', 'pipe', 'ipc'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const exited = once(child, 'close').then(([code]) => (typeof code === 'number' ? code : Promise.reject(child)));
  exited.catch(() => {});
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited.catch(() => {});
    await rm(directory, { recursive: true });
    // The demo shows its key, which is none.
    const keys = start.command === 'demo' ? [] : secretsOf(env, models);
    expect(findSecrets(output.stdout + output.stderr, keys), 'secrets in sight').toEqual([]);
  });
  return { child, directory, output, exited, listening: () => listening(child, output) };
}

/** Keys of the environment and of the models file. */
function secretsOf(env: Readonly<Record<string, string>>, models: unknown): string[] {
  const keys = Object.entries(env).filter(([name]) => /KEY|SECRET/.test(name) && !name.endsWith('_FILE'));
  const inFile = JSON.stringify(models ?? '').matchAll(/apiKey\\?":\s*\\?"([^"$\\]+)/g);
  return [...keys.flatMap(([, value]) => value.split(',')), ...[...inFile].map(([, key = '']) => key)];
}

async function listening(child: ChildProcess, output: Program['output']): Promise<string> {
  const ended = new AbortController();
  child.once('close', () => ended.abort(new Error(`the program has ended: ${output.stderr}`)));
  for (;;) {
    const url = /"url":"([^"]+)"/.exec(output.stdout)?.[1];
    if (url !== undefined) return url;
    await once(child.stdout as NodeJS.ReadableStream, 'data', { signal: ended.signal }).catch(() => {
      throw ended.signal.reason;
    });
  }
}
