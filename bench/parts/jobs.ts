import { stopChild } from '../children.ts';
import { inTurn } from '../contestants/start-all.ts';
import { type Gateway, startGateway } from '../contestants/start-gateway.ts';
import { atMost, type Figure, timesOther } from '../figure.ts';
import { cpuMs } from '../measures/cpu-time.ts';
import { delayReporting, loopDelay } from '../measures/loop-delay.ts';
import { forgetPeak, peakMb } from '../measures/memory.ts';
import type { Bench, Part } from '../part.ts';
import { Rounds } from '../rounds.ts';
import { responseOf, type Scenario } from '../scenario.ts';
import { spreadOf } from '../statistics.ts';

const sizes = [
  { name: '2 kB', bytes: 2_000, count: 2_000, warmUp: 15_000 },
  { name: '2 MB', bytes: 2_000_000, count: 120, warmUp: 120 },
] as const;

const atOnce = 8;

/** What the record of each paid call costs, and what the store costs that keeps the images of requests with a key. */
export const jobs: Part = {
  name: 'jobs',
  async run(bench) {
    const figures: Figure[] = [];
    for (const size of sizes) figures.push(...(await measure(size, bench)));
    return [...figures, await keptInFlight(bench)];
  },
};

type Ways = Readonly<Partial<Record<'before' | 'memory' | 'gateway' | 'kept', Gateway>>>;

/** The same gateway without a record on the disk, with it, and with a key for each request. */
async function startWays({ upstream, before }: Bench, scenarios: readonly Scenario[]): Promise<Ways> {
  const common = { scenarios, nodeOptions: delayReporting };
  const gateway = await startGateway(upstream, common);
  return {
    ...(before !== undefined && { before: await startGateway(upstream, { ...common, before }) }),
    memory: await startGateway(upstream, { ...common, env: { DATA_DIR: '' } }),
    gateway,
    kept: await startGateway(upstream, common),
  };
}

async function measure(size: (typeof sizes)[number], bench: Bench): Promise<Figure[]> {
  const { driver, rounds, isQuick } = bench;
  const scenario = responseOf(size.bytes);
  const ways = await startWays(bench, [scenario]);
  const cpu = new Rounds();
  const delay = new Rounds();
  for (let round = -1; round < rounds; round += 1) {
    const count = round < 0 ? size.warmUp : isQuick ? size.count / 4 : size.count;
    for (const [column, { call, child }] of inTurn(Object.entries(ways), round + 1)) {
      await loopDelay(child);
      const before = cpuMs(child.pid ?? 0);
      await driver.closed({ ...call(scenario), isKeyed: column === 'kept' }, atOnce, count);
      if (round < 0) continue;
      cpu.add(column as keyof Ways, (cpuMs(child.pid ?? 0) - before) / count);
      delay.add(column as keyof Ways, (await loopDelay(child)).p99);
    }
  }
  for (const { child } of Object.values(ways)) await stopChild(child);
  const values = cpu.spreads();
  const reference = values.before ? 'before' : 'memory';
  const added = cpu.less(reference).spreads();
  const isSmall = size.name === '2 kB';
  return [
    {
      part: 'jobs',
      name: `CPU of a response of ${size.name}`,
      unit: 'ms',
      values,
      goals:
        isSmall || values.kept === undefined
          ? []
          : [timesOther('must', { ...values, gateway: values.kept }, reference, 1.15)],
    },
    {
      part: 'jobs',
      name: `the same over ${reference}`,
      unit: 'ms',
      values: added,
      goals: isSmall ? [atMost('must', added.gateway, 0.15)] : [],
    },
    {
      part: 'jobs',
      name: `p99 of the event loop’s delay, ${size.name}`,
      unit: 'ms',
      values: delay.spreads(),
      goals: isSmall ? [timesOther('must', delay.spreads(), reference, 1.1)] : [],
    },
  ];
}

/** 200 images of 4 MB at once, all of them kept. */
async function keptInFlight({ upstream, driver, isQuick }: Bench): Promise<Figure> {
  const ready: Scenario = { kind: 'image', bytes: 4_000_000, delayMs: 0 };
  const slow: Scenario = { ...ready, delayMs: 10_000 };
  const peaks: number[] = [];
  for (let run = 0; run < (isQuick ? 1 : 2); run += 1) {
    const gateway = await startGateway(upstream, { scenarios: [ready, slow] });
    const pid = gateway.child.pid ?? 0;
    await driver.closed({ ...gateway.call(ready), isKeyed: true }, atOnce, 200);
    forgetPeak(pid);
    const call = { ...gateway.call(slow), isKeyed: true };
    await driver.steady(call, { atOnce: 200, count: 600, beginMs: slow.delayMs });
    peaks.push(peakMb(pid));
    await stopChild(gateway.child);
  }
  const kept = spreadOf(peaks);
  return {
    part: 'jobs',
    name: '200 images of 4 MB in flight with keys: peak RSS',
    unit: 'MB',
    values: { kept },
    goals: [atMost('must', kept, 260)],
  };
}
