import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

const maxWaitMs = 20_000;

/** Waits until a URL responds, with any status or with the given one. Rejects when the process ends. */
export async function waitForResponse(
  child: ChildProcess,
  url: string,
  { status, pauseMs = 50 }: Options = {},
): Promise<void> {
  const end = performance.now() + maxWaitMs;
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`the process behind ${url} has ended with ${child.exitCode}`);
    const found = await fetch(url).then(statusOf, () => undefined);
    if (found !== undefined && (status === undefined || found === status)) return;
    await wait(pauseMs);
  }
  throw new Error(`there is no response at ${url}`);
}

type Options = { readonly status?: number; readonly pauseMs?: number };

async function statusOf(response: Response): Promise<number> {
  await response.body?.cancel();
  return response.status;
}
