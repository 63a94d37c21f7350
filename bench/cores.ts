import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Which processors each process gets; `undefined` where there is no choice. */
export const cores = chooseCores();

function chooseCores(): { readonly contestant: string; readonly others: string } | undefined {
  const count = availableParallelism();
  if (count < 2 || spawnSync('taskset', ['--version']).error) return undefined;
  return { contestant: String(count - 1), others: count === 2 ? '0' : `0-${count - 2}` };
}

/** A command line that runs another one on certain processors only; the process keeps its id. */
export function pinned(who: 'contestant' | 'others', command: readonly string[]): readonly string[] {
  return cores === undefined ? command : ['taskset', '-c', cores[who], ...command];
}

/** Keeps this process, which mostly waits, away from the contestant. */
export function pinThisProcess(): void {
  if (cores) spawnSync('taskset', ['-a', '-c', '-p', cores.others, String(process.pid)]);
}

/** For the description of a run. */
export function describeCores(): string {
  if (cores === undefined) return 'nothing is pinned: taskset is not there, or there is one processor only';
  return `contestant on processor ${cores.contestant}; upstream, driver and this program on ${cores.others}`;
}
