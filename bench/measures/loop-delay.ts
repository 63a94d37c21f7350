import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** How late the event loop of a process was, in milliseconds. */
export type LoopDelay = { readonly p50: number; readonly p99: number; readonly max: number };

/** The delays since the last time this was asked. The process has `report-delay.ts` with it. */
export async function loopDelay(child: ChildProcess): Promise<LoopDelay> {
  const message = once(child, 'message');
  child.send('delay');
  const [delay] = await message;
  return delay as LoopDelay;
}
