import { expect, test } from 'vitest';
import { type FreezeMode, type FreezePoint, freezeAt, freezeModes, freezePoints } from './matrix/freeze.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

/** What nobody can know as long as the gateway that has called does not go on. */
function isUnknownTo(mode: FreezeMode, point: FreezePoint): boolean {
  if (point === 'dispatched') return true;
  return mode === 'deployment' && (point === 'under way' || point === 'within the body');
}

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
