import type { Contestant } from '../contestants/contestant.ts';
import { direct } from '../contestants/direct.ts';
import { inTurn, withContestants } from '../contestants/start-all.ts';
import { atMost, type Figure, type Goal, timesOther } from '../figure.ts';
import type { Bench, Part } from '../part.ts';
import { Rounds } from '../rounds.ts';
import { responseOf } from '../scenario.ts';
import { percentile } from '../statistics.ts';

const loads = [
  { name: '2 kB at 200/s', bytes: 2_000, perSecond: 200, seconds: 4, warmUp: 3_000 },
  { name: '2 MB at 20/s', bytes: 2_000_000, perSecond: 20, seconds: 5, warmUp: 150 },
] as const;
type Load = (typeof loads)[number];

/** What a contestant adds to the time of a response at a constant rate of calls, against the upstream called directly. */
export const latency: Part = {
  name: 'latency',
  run: ({ upstream, before, ...bench }) => {
    const scenarios = loads.map(({ bytes }) => responseOf(bytes));
    return withContestants({ upstream, before }, scenarios, async (contestants) => {
      const figures: Figure[] = [];
      for (const load of loads) figures.push(...(await measure(load, [direct(upstream), ...contestants], bench)));
      return figures;
    });
  },
};

async function measure(
  load: Load,
  contestants: readonly Contestant[],
  { driver, rounds, isQuick }: Omit<Bench, 'upstream' | 'before'>,
): Promise<Figure[]> {
  const count = load.perSecond * (isQuick ? 2 : load.seconds);
  const [p50, p99, late] = [new Rounds(), new Rounds(), new Rounds()];
  const scenario = responseOf(load.bytes);
  // Code that has just begun to run is not compiled yet.
  for (const { call } of contestants) await driver.closed(call(scenario), 8, load.warmUp);
  for (let round = 0; round < rounds; round += 1) {
    for (const { column, call } of inTurn(contestants, round)) {
      const report = await driver.open(call(scenario), load.perSecond, count);
      p50.add(column, percentile(report.whole, 50));
      p99.add(column, percentile(report.whole, 99));
      late.add(column, percentile(report.late, 99));
    }
  }
  const isSmall = load.bytes === 2_000;
  const figure = (name: string, values: Figure['values'], goals: readonly Goal[] = []): Figure => {
    return { part: 'latency', name: `${load.name}: ${name}`, unit: 'ms', values, goals };
  };
  const [addedP50, addedP99] = [p50.less('direct').spreads(), p99.less('direct').spreads()];
  return [
    figure('p50 of a response', p50.spreads()),
    figure('p99 of a response', p99.spreads()),
    figure('p50 over direct', addedP50, [
      timesOther('must', addedP50, 'peer', 1),
      ...(isSmall ? [atMost('aim', addedP50.gateway, 1)] : []),
    ]),
    figure('p99 over direct', addedP99, [
      timesOther('must', addedP99, 'peer', 1),
      ...(isSmall ? [atMost('aim', addedP99.gateway, 5)] : []),
    ]),
    figure('p99 of the driver’s own lateness', late.spreads()),
  ];
}
