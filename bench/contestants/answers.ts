import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

const patienceMs = 20_000;

/** Waits until there is an answer of any status at a URL, or of the one that is given. Rejects when the process ends. */
export async function answers(child: ChildProcess, url: string, { status, pauseMs = 50 }: Options = {}): Promise<void> {
  const end = performance.now() + patienceMs;
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`the process behind ${url} has ended with ${child.exitCode}`);
    const found = await fetch(url).then(statusOf, () => undefined);
    if (found !== undefined && (status === undefined || found === status)) return;
    await wait(pauseMs);
  }
  throw new Error(`there is no answer at ${url}`);
}

type Options = { readonly status?: number; readonly pauseMs?: number };

async function statusOf(answer: Response): Promise<number> {
  await answer.body?.cancel();
  return answer.status;
}
