import { stopChild } from '../children.ts';
import { startGateway } from '../contestants/start-gateway.ts';
import { atMost, type Figure } from '../figure.ts';
import { cpuMs } from '../measures/cpu-time.ts';
import { forgetPeak, peakMb } from '../measures/memory.ts';
import type { Part } from '../part.ts';
import type { Scenario } from '../scenario.ts';
import { type Spread, spreadOf } from '../statistics.ts';

const bytes = 2_000_000;
const image: Scenario = { kind: 'image', bytes, delayMs: 0 };
const link: Scenario = { kind: 'link', bytes, delayMs: 0 };
const atOnce = 8;

/** What it costs to turn base64 into files behind links, and links into base64, beside base64 that passes through. */
export const conversions: Part = {
  name: 'conversions',
  async run({ upstream, driver, rounds, isQuick }) {
    const gateway = await startGateway(upstream, { scenarios: [image, link] });
    const pid = gateway.child.pid ?? 0;
    const base64Bytes = Math.floor((bytes * 4) / 3);
    const ways = [
      { name: 'base64 → base64', call: gateway.call(image) },
      {
        name: 'base64 → url on disk',
        call: { ...gateway.callWith(image, { response_format: 'url' }), minBytes: 0 },
      },
      {
        name: 'url → base64',
        // What this family calls its better quality.
        call: {
          ...gateway.callWith(link, { response_format: 'b64_json', quality: 'hd' }),
          minBytes: base64Bytes,
        },
      },
    ].map((way) => ({ ...way, cpu: [] as number[], peak: [] as number[] }));
    const count = isQuick ? 20 : 60;
    for (let round = -1; round < rounds; round += 1) {
      for (const { call, cpu, peak } of ways) {
        forgetPeak(pid);
        const before = cpuMs(pid);
        await driver.closed(call, atOnce, count);
        if (round < 0) continue;
        cpu.push((cpuMs(pid) - before) / ((count * bytes) / 1e6));
        peak.push(peakMb(pid));
      }
    }
    await stopChild(gateway.child);
    const plain = spreadOf(ways[0]?.cpu ?? []);
    return ways.flatMap(({ name, cpu, peak }, at) => figuresOf(name, spreadOf(cpu), spreadOf(peak), at > 0 && plain));
  },
};

function figuresOf(name: string, cpu: Spread, peak: Spread, plain: Spread | false): Figure[] {
  const ratio = plain && spreadOf([cpu.median / plain.median]);
  const against: Figure[] = ratio
    ? [
        {
          part: 'conversions',
          name: `${name}: CPU against base64 → base64`,
          unit: '×',
          values: { gateway: ratio },
          goals: [atMost('must', ratio, name.includes('url on disk') ? 1.25 : 2)],
        },
      ]
    : [];
  return [
    { part: 'conversions', name: `${name}: CPU`, unit: 'ms/MB', values: { gateway: cpu }, goals: [] },
    ...against,
    { part: 'conversions', name: `${name}: peak RSS`, unit: 'MB', values: { gateway: peak }, goals: [] },
  ];
}
