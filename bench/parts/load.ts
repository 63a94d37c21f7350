import { setTimeout as wait } from 'node:timers/promises';
import { stopChild } from '../children.ts';
import { type Gateway, startGateway } from '../contestants/start-gateway.ts';
import { atMost, type Figure, type Goal } from '../figure.ts';
import { delayReporting, loopDelay } from '../measures/loop-delay.ts';
import { forgetPeak, peakMb, residentMb } from '../measures/memory.ts';
import type { Bench, Part } from '../part.ts';
import type { Scenario } from '../scenario.ts';
import { type Spread, spreadOf } from '../statistics.ts';

const imageBytes = 4_000_000;
const delayMs = 10_000;
const ready: Scenario = { kind: 'image', bytes: imageBytes, delayMs: 0 };

/** Many images of 4 MB at once: the event loop's delay, and the process's memory. */
export const load: Part = {
  name: 'load',
  async run(bench) {
    const inFlight = { normal: await measure(200, bench), raised: await measure(400, bench) };
    const growth = spreadOf([inFlight.raised.peak.median / inFlight.normal.peak.median]);
    return [
      ...inFlight.normal.figures,
      ...inFlight.raised.figures,
      {
        part: 'load',
        name: 'peak RSS at 400 in flight against 200',
        unit: '×',
        values: { gateway: growth },
        goals: [atMost('must', growth, 1.3)],
      },
      ...(await stalledReaders(bench)),
    ];
  },
};

/** As many calls as that all the time, which began evenly: so the responses come evenly, too. */
async function measure(inFlight: number, bench: Bench): Promise<{ peak: Spread; figures: Figure[] }> {
  const runs = bench.isQuick ? 1 : 2;
  const found = {
    p99: [] as number[],
    max: [] as number[],
    peak: [] as number[],
    burst: [] as number[],
    burstP99: [] as number[],
  };
  const slow: Scenario = { kind: 'image', bytes: imageBytes, delayMs };
  // The default limits are 200 requests, and memory for about 500.
  const limits = inFlight > 200 ? { limits: { inFlight, heldBytes: inFlight * 2_000_000 } } : {};
  for (let run = 0; run < runs; run += 1) {
    const gateway = await startGateway(bench.upstream, {
      scenarios: [ready, slow],
      nodeOptions: delayReporting,
      ...limits,
    });
    const pid = gateway.child.pid ?? 0;
    await bench.driver.closed(gateway.call(ready), 8, 200);
    await loopDelay(gateway.child);
    forgetPeak(pid);
    await bench.driver.steady(gateway.call(slow), { atOnce: inFlight, count: 3 * inFlight, beginMs: delayMs });
    const evenly = await loopDelay(gateway.child);
    found.p99.push(evenly.p99);
    found.max.push(evenly.max);
    found.peak.push(peakMb(pid));
    await bench.driver.closed(gateway.call(slow), inFlight, inFlight);
    found.burstP99.push((await loopDelay(gateway.child)).p99);
    found.burst.push(peakMb(pid));
    await stopChild(gateway.child);
  }
  const name = `${inFlight} in flight${inFlight > 200 ? ' (limit raised)' : ''}`;
  const figure = (what: string, unit: string, values: readonly number[], goal?: [Goal['level'], number]): Figure => {
    const gateway = spreadOf(values);
    const goals = goal ? [atMost(goal[0], gateway, goal[1])] : [];
    return { part: 'load', name: `${name}: ${what}`, unit, values: { gateway }, goals };
  };
  const isDefault = inFlight === 200;
  return {
    peak: spreadOf(found.peak),
    figures: [
      figure('p99 of the event loop’s delay', 'ms', found.p99, isDefault ? ['must', 50] : undefined),
      figure('longest delay of the event loop', 'ms', found.max),
      figure('peak RSS', 'MB', found.peak, isDefault ? ['must', 250] : undefined),
      figure('p99 of the delay, all responses at one moment', 'ms', found.burstP99),
      figure('peak RSS, all responses at one moment', 'MB', found.burst),
    ],
  };
}

const readers = 100;

/** The kernel takes some megabytes for each reader; the image is large enough that the gateway has to wait. */
const large: Scenario = { kind: 'image', bytes: 12_000_000, delayMs: 0 };

async function stalledReaders({ upstream, driver, isQuick }: Bench): Promise<Figure[]> {
  const added: number[] = [];
  for (let run = 0; run < (isQuick ? 1 : 3); run += 1) {
    const gateway = await startGateway(upstream, { scenarios: [ready, large] });
    const pid = gateway.child.pid ?? 0;
    await driver.closed(gateway.call(ready), 20, 200);
    await wait(1_000);
    const before = residentMb(pid);
    forgetPeak(pid);
    await driver.stall(gateway.call(large), readers);
    await wait(4_000);
    const held = await inFlightAt(gateway);
    if (held !== readers) throw new Error(`${held} of ${readers} responses wait for their readers`);
    added.push(peakMb(pid) - before);
    await driver.closed(gateway.call(ready), 1, 1);
    await stopChild(gateway.child);
  }
  const values = { gateway: spreadOf(added) };
  const name = `RSS that ${readers} readers add which stop reading`;
  return [{ part: 'load', name, unit: 'MB', values, goals: [atMost('must', values.gateway, 60)] }];
}

async function inFlightAt({ origin, call }: Gateway): Promise<number> {
  const metrics = await (await fetch(`${origin}/metrics`, { headers: call(ready).headers })).text();
  // The question itself is a request, too.
  return Number(/^gateway_requests_in_flight (\d+)$/m.exec(metrics)?.[1] ?? 0) - 1;
}
