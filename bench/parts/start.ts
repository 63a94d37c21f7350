import { spawnSync } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stopChild } from '../children.ts';
import { startGateway } from '../contestants/start-gateway.ts';
import { atMost, type Figure } from '../figure.ts';
import { residentMb } from '../measures/memory.ts';
import type { Part } from '../part.ts';
import { responseOf } from '../scenario.ts';
import { spreadOf } from '../statistics.ts';

/** From the start to the first readiness, memory at rest, and how many packages a production install has. */
export const start: Part = {
  name: 'start',
  async run({ upstream, rounds, isQuick }) {
    const ready: number[] = [];
    const idle: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const gateway = await startGateway(upstream, { scenarios: [responseOf(2_000)] });
      ready.push(gateway.readyMs);
      // Once is enough for what takes so long: it does not vary.
      if (round < 2) {
        await wait(isQuick ? 3_000 : 10_000);
        idle.push(residentMb(gateway.child.pid ?? 0));
      }
      await stopChild(gateway.child);
    }
    const readyMs = spreadOf(ready);
    const idleMb = spreadOf(idle);
    return [
      figure('start to ready', 'ms', readyMs, [atMost('must', readyMs, 500), atMost('aim', readyMs, 300)]),
      figure('RSS at rest', 'MB', idleMb, [atMost('must', idleMb, 100)]),
      figure('packages of a production install', '', spreadOf([productionPackages()]), []),
    ];
  },
};

function figure(name: string, unit: string, gateway: Figure['values'][keyof Figure['values']], goals: Figure['goals']) {
  return { part: 'start', name, unit, values: gateway ? { gateway } : {}, goals };
}

/** All that `npm ci --omit=dev` installs, the gateway itself not counted. */
function productionPackages(): number {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const listed = spawnSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: root, encoding: 'utf8' });
  return listed.stdout.trim().split('\n').length - 1;
}
