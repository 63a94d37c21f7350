import { expect, test } from 'vitest';
import { problemsIn } from './matrix/judgement.ts';
import { killPoints } from './matrix/kill-points.ts';
import { modes } from './matrix/modes.ts';
import { playMode, playRandomTimes } from './matrix/play-chain.ts';
import { useSimulator } from './matrix/use-simulator.ts';

const played = useSimulator();

test.concurrent.each(modes)(
  '%s: killed at any point, a job is billed once, and its key gets the same response',
  async (mode) => {
    const { results, kills } = await playMode(mode, { entry: played.entry, simulator: played.simulator, seed: 1 });
    expect(problemsIn(results)).toEqual([]);
    expect(kills).toBe(killPoints.length);
  },
);

test.concurrent('killed at random times under jobs of all modes: each is billed once, and its key gets the same response', async () => {
  const { results, kills } = await playRandomTimes(8, { entry: played.entry, simulator: played.simulator, seed: 2 });
  expect(problemsIn(results)).toEqual([]);
  expect(kills).toBe(8);
});
