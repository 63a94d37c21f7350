import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** How late the event loop of a process was, in milliseconds. */
export type LoopDelay = { readonly p50: number; readonly p99: number; readonly max: number };

/** Node's options for a process whose delays can be asked for. */
export const delayReporting: readonly string[] = [
  '--import',
  fileURLToPath(new URL('report-delay.ts', import.meta.url)),
];

/** The delays since the last time this was asked. The process has `delayReporting`. */
export async function loopDelay(child: ChildProcess): Promise<LoopDelay> {
  const message = once(child, 'message');
  child.send('delay');
  const [delay] = await message;
  return delay as LoopDelay;
}
