import { stopChild } from '../children.ts';
import { startGateway } from '../contestants/start-gateway.ts';
import { atMost, type Figure } from '../figure.ts';
import { cpuMs } from '../measures/cpu-time.ts';
import { delayReporting, loopDelay } from '../measures/loop-delay.ts';
import { forgetPeak, peakMb } from '../measures/memory.ts';
import type { Bench, Part } from '../part.ts';
import type { Scenario } from '../scenario.ts';
import { spreadOf } from '../statistics.ts';

const image: Scenario = { kind: 'png', bytes: 4_000_000, delayMs: 0 };
const atOnce = 20;
const targets = ['webp', 'jpeg'] as const;

/** What it costs to convert large images to a format that their family does not make. */
export const formats: Part = {
  name: 'formats',
  async run(bench) {
    const figures: Figure[] = [];
    for (const format of targets) figures.push(...(await costOf(format, bench)), await delayOf(format, bench));
    return figures;
  },
};

type Format = (typeof targets)[number];

/** A transparent JPEG is what the family makes no other way; what comes is opaque all the same. */
function wanted(format: Format): object {
  const looks = format === 'jpeg' ? { background: 'transparent' } : {};
  return { output_format: format, output_compression: 90, ...looks };
}

/** Without what reports delays, which takes memory itself. */
async function costOf(format: Format, { upstream, driver, rounds }: Bench): Promise<Figure[]> {
  const gateway = await startGateway(upstream, { scenarios: [image] });
  const pid = gateway.child.pid ?? 0;
  const call = { ...gateway.callWith(image, wanted(format)), minBytes: 0 };
  const [cpu, peak]: [number[], number[]] = [[], []];
  for (let round = -1; round < rounds; round += 1) {
    forgetPeak(pid);
    const before = cpuMs(pid);
    await driver.closed(call, atOnce, atOnce);
    if (round < 0) continue;
    cpu.push((cpuMs(pid) - before) / atOnce);
    peak.push(peakMb(pid));
  }
  await stopChild(gateway.child);
  const name = `${atOnce} × 4 MB at once, png → ${format}`;
  const resident = spreadOf(peak);
  return [
    { part: 'formats', name: `${name}: CPU per image`, unit: 'ms', values: { gateway: spreadOf(cpu) }, goals: [] },
    {
      part: 'formats',
      name: `${name}: peak RSS`,
      unit: 'MB',
      values: { gateway: resident },
      goals: [atMost('must', resident, 400)],
    },
  ];
}

async function delayOf(format: Format, { upstream, driver, rounds }: Bench): Promise<Figure> {
  const gateway = await startGateway(upstream, { scenarios: [image], nodeOptions: delayReporting });
  const call = { ...gateway.callWith(image, wanted(format)), minBytes: 0 };
  const delays: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    await loopDelay(gateway.child);
    await driver.closed(call, atOnce, atOnce);
    const { p99 } = await loopDelay(gateway.child);
    if (round >= 0) delays.push(p99);
  }
  await stopChild(gateway.child);
  const delay = spreadOf(delays);
  return {
    part: 'formats',
    name: `${atOnce} × 4 MB at once, png → ${format}: delay of the event loop, p99`,
    unit: 'ms',
    values: { gateway: delay },
    goals: [atMost('must', delay, 50)],
  };
}
