import { direct } from '../contestants/direct.ts';
import { inTurn, withContestants } from '../contestants/start-all.ts';
import { atMost, type Column } from '../figure.ts';
import type { Part } from '../part.ts';
import { Rounds } from '../rounds.ts';
import type { Scenario } from '../scenario.ts';
import { percentile } from '../statistics.ts';

/** Events of 2 MB of text each, with time to think before each. */
const events: Scenario = { kind: 'events', bytes: 1_500_000, delayMs: 100 };
const perSecond = 5;

/** What a contestant adds to the time until the first partial image is there to its last byte. */
export const stream: Part = {
  name: 'stream',
  run: ({ upstream, before, driver, rounds, isQuick }) =>
    withContestants({ upstream, before }, [events], async (present) => {
      // The peer does not stream images.
      const contestants = [direct(upstream), ...present.filter(({ column }) => column !== 'peer')];
      const [p50, p99] = [new Rounds(), new Rounds()];
      const all = new Map<Column, number[]>();
      for (let round = -1; round < rounds; round += 1) {
        for (const { column, call } of inTurn(contestants, round + 1)) {
          const { first } = await driver.open(call(events), perSecond, isQuick ? 20 : 30);
          if (round < 0) continue;
          p50.add(column, percentile(first, 50));
          p99.add(column, percentile(first, 99));
          all.set(column, [...(all.get(column) ?? []), ...first]);
        }
      }
      const added = p99.less('direct').spreads();
      const unit = 'ms';
      return [
        { part: 'stream', name: 'first partial of 2 MB: p50', unit, values: p50.spreads(), goals: [] },
        {
          part: 'stream',
          name: 'first partial of 2 MB: p50 over direct',
          unit,
          values: p50.less('direct').spreads(),
          goals: [],
        },
        {
          part: 'stream',
          name: 'first partial of 2 MB: p99 over direct',
          unit,
          values: added,
          goals: [atMost('must', added.gateway, 10)],
        },
      ];
    }),
};
