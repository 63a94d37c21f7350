import { expect, test } from 'vitest';
import { freezeAt, freezeModes, freezePoints, isUnknownTo } from './matrix/freeze.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

const cells = freezeModes.flatMap((mode) => freezePoints.map((point) => [mode, point] as const));

test.concurrent.each(cells)(
  '%s: stopped %s for longer than its lease, a gateway goes on, and nothing is billed twice',
  async (mode, point) => {
    await using stage = await startStage();
    expect(await freezeAt(point, mode, stage)).toEqual({
      meanwhile: isUnknownTo(mode, point) ? 'upstream_outcome_unknown' : 200,
      atLast: 200,
      billed: 1,
    });
  },
);
