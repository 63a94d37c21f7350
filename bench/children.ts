import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pinned } from './cores.ts';
import { familyOf } from './measures/family.ts';

const running = new Set<ChildProcess>();

/** Starts a process that does not outlive this one, however it ends. */
export function startChild(
  who: 'contestant' | 'others',
  command: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const [program = '', ...rest] = pinned(who, command);
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], ...options });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Ends a process and what it has started, at once; resolves when it is gone. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  killAll(familyOf(child.pid));
  await gone;
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

process.once('exit', () => {
  for (const { pid } of running) killAll(familyOf(pid));
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
