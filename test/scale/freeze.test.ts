import { test } from 'vitest';
import { freezeAt, freezeModes, freezePoints, isUnknownTo } from '../crash/matrix/freeze.ts';
import { useBundle } from '../crash/matrix/use-bundle.ts';

const { startStage } = useBundle();

const cells = freezeModes.flatMap((mode) => freezePoints.map((point) => [mode, point] as const));

test.concurrent.for(cells)(
  '%s: a gateway is stopped %s for longer than its lease, while another one shares its database: nothing is billed twice',
  async ([mode, point], { expect }) => {
    await using stage = await startStage();
    expect(await freezeAt(point, mode, stage)).toEqual({
      meanwhile: isUnknownTo(mode, point) ? 'upstream_outcome_unknown' : 200,
      atLast: 200,
      billed: 1,
    });
  },
);
