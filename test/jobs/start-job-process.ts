import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { compileCache } from '../helpers/compile-cache.ts';

export type JobProcess = {
  readonly child: ChildProcess;
  /** Lets it run a command of `job-process.ts`, and resolves with the result. */
  ask(command: string): Promise<unknown>;
};

/** A process with a job store in this directory, which ends with the test. Resolves when the store is open. */
export async function startJobProcess(directory: string, ...times: readonly number[]): Promise<JobProcess> {
  const program = fileURLToPath(new URL('job-process.ts', import.meta.url));
  const child = spawn(process.execPath, [program, directory, ...times.map(String)], {
    env: { ...process.env, ...compileCache },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value ?? 'null');
  await next();
  return {
    child,
    ask(command) {
      child.stdin.write(`${command}\n`);
      return next();
    },
  };
}
