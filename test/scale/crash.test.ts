import { expect, test } from 'vitest';
import { problemsIn } from '../crash/matrix/judgement.ts';
import { killPoints } from '../crash/matrix/kill-points.ts';
import { modes } from '../crash/matrix/modes.ts';
import { playMode } from '../crash/matrix/play-chain.ts';
import { useSimulator } from '../crash/matrix/use-simulator.ts';
import { shortLease } from './replicas.ts';

const played = useSimulator();

// Two gateways in every mode, and three in every other one: 204 kills.
const cells = modes.flatMap((mode, index) =>
  index % 2 === 0 ? [[mode, 2] as const, [mode, 3] as const] : [[mode, 2] as const],
);

test.concurrent.each(cells)(
  '%s: one of %i gateways is killed at any point, and the others answer for it: a job is billed once, and its key gets the same response',
  async (mode, gateways) => {
    const { results, kills } = await playMode(mode, {
      ...{ entry: played.entry, simulator: played.simulator, seed: gateways },
      ...{ gateways, stores: { lease: shortLease } },
    });
    expect(problemsIn(results)).toEqual([]);
    expect(kills).toBe(killPoints.length);
  },
);
