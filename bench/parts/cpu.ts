import type { Contestant } from '../contestants/contestant.ts';
import { inTurn, withContestants } from '../contestants/start-all.ts';
import { type Figure, timesOther } from '../figure.ts';
import { cpuMs } from '../measures/cpu-time.ts';
import type { Bench, Part } from '../part.ts';
import { Rounds } from '../rounds.ts';
import { responseOf } from '../scenario.ts';

const sizes = [
  // Node compiles for a long time: after 2,000 small responses each one still costs a third more than after 20,000.
  { name: '2 kB', bytes: 2_000, count: 2_000, warmUp: 15_000 },
  { name: '2 MB', bytes: 2_000_000, count: 120, warmUp: 120 },
  { name: '8 MB', bytes: 8_000_000, count: 40, warmUp: 40 },
] as const;
type Size = (typeof sizes)[number];

const atOnce = 8;

/** CPU time of each contestant for a response, base64 in and base64 out. */
export const cpu: Part = {
  name: 'cpu',
  run: ({ upstream, before, ...bench }) => {
    const scenarios = sizes.map(({ bytes }) => responseOf(bytes));
    return withContestants({ upstream, before }, scenarios, async (contestants) => {
      const figures: Figure[] = [];
      for (const size of sizes) figures.push(await measure(size, contestants, bench));
      return figures;
    });
  },
};

async function measure(
  size: Size,
  contestants: readonly Contestant[],
  { driver, rounds, isQuick }: Omit<Bench, 'upstream' | 'before'>,
): Promise<Figure> {
  const scenario = responseOf(size.bytes);
  const found = new Rounds();
  // The first round warms up, and is not counted.
  for (let round = -1; round < rounds; round += 1) {
    const count = round < 0 ? size.warmUp : isQuick ? size.count / 4 : size.count;
    for (const { column, child, call } of inTurn(contestants, round + 1)) {
      const pid = child?.pid ?? 0;
      const before = cpuMs(pid);
      await driver.closed(call(scenario), atOnce, count);
      if (round >= 0) found.add(column, (cpuMs(pid) - before) / count);
    }
  }
  const values = found.spreads();
  return { part: 'cpu', name: `CPU of a response of ${size.name}`, unit: 'ms', values, goals: goalsOf(size, values) };
}

function goalsOf({ name }: Size, values: Figure['values']): Figure['goals'] {
  const isSmall = name === '2 kB';
  return [
    timesOther('must', values, 'floor', isSmall ? 2.5 : 1.5),
    timesOther('must', values, 'peer', isSmall ? 1 / 2 : 1 / 6),
    timesOther('aim', values, 'nginx', isSmall ? 3 : 2),
    ...(isSmall ? [] : [timesOther('aim', values, 'peer', 1 / 10)]),
  ];
}
