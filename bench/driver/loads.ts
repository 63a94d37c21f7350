import { setTimeout as wait } from 'node:timers/promises';
import type { Call, Report } from './call.ts';
import { makeCall } from './make-call.ts';

type Collected = { whole: number[]; first: number[]; late: number[]; mistakes: string[] };

async function collect(call: Call, into: Collected): Promise<void> {
  try {
    const { first, whole } = await makeCall(call);
    into.first.push(first);
    into.whole.push(whole);
  } catch (error) {
    into.mistakes.push(String(error));
  }
}

async function timed(run: (into: Collected) => Promise<unknown>): Promise<Report> {
  const begin = performance.now();
  const into: Collected = { whole: [], first: [], late: [], mistakes: [] };
  await run(into);
  return { ...into, elapsedMs: performance.now() - begin };
}

/** A fixed number of calls at once, the next when one has ended; the first ones begin evenly over `beginMs`. */
export function closedLoop(
  call: Call,
  { atOnce, count, beginMs }: { atOnce: number; count: number; beginMs: number },
): Promise<Report> {
  return timed(async (into) => {
    let left = count;
    const worker = async (_: unknown, at: number) => {
      if (beginMs > 0) await wait((at * beginMs) / atOnce);
      while (left-- > 0) await collect(call, into);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  });
}

/** Calls at a fixed rate, whatever becomes of those before. Each is timed from when it was made. */
export function openLoop(call: Call, perSecond: number, count: number): Promise<Report> {
  return timed(async (into) => {
    const begin = performance.now();
    const running: Promise<void>[] = [];
    for (let at = 0; at < count; at += 1) {
      const due = begin + (at * 1000) / perSecond;
      const ahead = due - performance.now();
      if (ahead > 0) await wait(ahead);
      into.late.push(Math.max(0, performance.now() - due));
      running.push(collect(call, into));
    }
    await Promise.all(running);
  });
}
