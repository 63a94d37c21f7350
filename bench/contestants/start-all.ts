import { stopChild } from '../children.ts';
import type { Bench } from '../part.ts';
import type { Scenario } from '../scenario.ts';
import type { Contestant } from './contestant.ts';
import { startFloor } from './start-floor.ts';
import { startGateway } from './start-gateway.ts';
import { startNginx } from './start-nginx.ts';
import { startPeer } from './start-peer.ts';

/** Starts all contestants that are installed, the gateway among them, runs `work` with them, and stops them. */
export async function withContestants<T>(
  { upstream, before }: Pick<Bench, 'upstream' | 'before'>,
  scenarios: readonly Scenario[],
  work: (contestants: readonly Contestant[]) => Promise<T>,
): Promise<T> {
  const all = [
    await startNginx(upstream),
    await startFloor(upstream),
    await startPeer(upstream),
    before === undefined ? undefined : await startGateway(upstream, { scenarios, before }),
    await startGateway(upstream, { scenarios }),
  ];
  const present = all.filter((contestant) => contestant !== undefined);
  try {
    return await work(present);
  } finally {
    for (const { child } of present) if (child) await stopChild(child);
  }
}

/** Each round begins with another one, so that no contestant always follows the same one. */
export function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  const first = round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}
