import { stopChild } from '../children.ts';
import { startGateway } from '../contestants/start-gateway.ts';
import { atMost } from '../figure.ts';
import { forgetPeak, peakMb } from '../measures/memory.ts';
import type { Part } from '../part.ts';
import { responseOf } from '../scenario.ts';
import { spreadOf } from '../statistics.ts';

const upload = { edits: 20, images: 5, bytes: 20_000_000 };

/** Twenty edits of five images of 20 MB each, at once. */
export const edits: Part = {
  name: 'edits',
  async run({ upstream, driver, isQuick }) {
    const peaks: number[] = [];
    const times: number[] = [];
    const scenario = responseOf(2_000_000);
    for (let run = 0; run < (isQuick ? 1 : 3); run += 1) {
      const gateway = await startGateway(upstream, { scenarios: [scenario] });
      const pid = gateway.child.pid ?? 0;
      await driver.closed(gateway.call(scenario), 8, 50);
      forgetPeak(pid);
      const { elapsedMs } = await driver.edit(gateway.callWith(scenario, {}, '/v1/images/edits'), upload);
      peaks.push(peakMb(pid));
      times.push(elapsedMs / 1000);
      await stopChild(gateway.child);
    }
    const name = '20 edits of 5 × 20 MB at once';
    const peak = spreadOf(peaks);
    return [
      {
        part: 'edits',
        name: `${name}: peak RSS`,
        unit: 'MB',
        values: { gateway: peak },
        goals: [atMost('must', peak, 300)],
      },
      { part: 'edits', name: `${name}: time`, unit: 's', values: { gateway: spreadOf(times) }, goals: [] },
    ];
  },
};
