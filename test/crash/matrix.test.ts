import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { type Bundle, bundleGateway } from './matrix/bundle-gateway.ts';
import { problemsOf } from './matrix/judgement.ts';
import type { JobResult } from './matrix/kill-chain.ts';
import { killPoints } from './matrix/kill-points.ts';
import { modes } from './matrix/modes.ts';
import { playMode, playRandomTimes } from './matrix/play-chain.ts';

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

const wrong = (results: readonly JobResult[]) =>
  results.flatMap((result) => problemsOf(result).map((problem) => `${result.point}: ${problem}`));

test.concurrent.each(modes)(
  '%s: killed at any point, a job is billed once, and its key gets the same response',
  async (mode) => {
    const { results, kills } = await playMode(mode, { entry: bundle.entry, simulator, seed: 1 });
    expect(wrong(results)).toEqual([]);
    expect(kills).toBe(killPoints.length);
  },
);

test.concurrent('killed at random times under jobs of all modes: each is billed once, and its key gets the same response', async () => {
  const { results, kills } = await playRandomTimes(8, { entry: bundle.entry, simulator, seed: 2 });
  expect(wrong(results)).toEqual([]);
  expect(kills).toBe(8);
});
