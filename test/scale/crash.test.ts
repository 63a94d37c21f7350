import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { type Bundle, bundleGateway } from '../crash/matrix/bundle-gateway.ts';
import { problemsOf } from '../crash/matrix/judgement.ts';
import { killPoints } from '../crash/matrix/kill-points.ts';
import { modes } from '../crash/matrix/modes.ts';
import { playMode } from '../crash/matrix/play-chain.ts';

/** Shorter than in production, so that others answer soon for a gateway that was killed. */
const lease = { validMs: 4_000, renewEveryMs: 500 };

let bundle: Bundle;
let simulator: Simulator;

beforeAll(async () => {
  bundle = await bundleGateway();
  simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
});

afterAll(async () => {
  await simulator.close();
  await bundle[Symbol.asyncDispose]();
});

// Two gateways in every mode, and three in every other one: 204 kills.
const cells = modes.flatMap((mode, index) =>
  index % 2 === 0 ? [[mode, 2] as const, [mode, 3] as const] : [[mode, 2] as const],
);

test.concurrent.each(cells)(
  '%s: one of %i gateways is killed at any point, and the others answer for it: a job is billed once, and its key gets the same response',
  async (mode, gateways) => {
    const { results, kills } = await playMode(mode, {
      entry: bundle.entry,
      simulator,
      seed: gateways,
      gateways,
      stores: { lease },
    });
    const wrong = results.flatMap((result) => problemsOf(result).map((problem) => `${result.point}: ${problem}`));
    expect(wrong).toEqual([]);
    expect(kills).toBe(killPoints.length);
  },
);
