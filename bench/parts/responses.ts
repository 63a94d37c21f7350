import { stopChild } from '../children.ts';
import { inTurn } from '../contestants/start-all.ts';
import { type Gateway, startGateway } from '../contestants/start-gateway.ts';
import type { Call } from '../driver/call.ts';
import { atMost, type Figure, timesOther } from '../figure.ts';
import { cpuMs } from '../measures/cpu-time.ts';
import { forgetPeak, peakMb } from '../measures/memory.ts';
import type { Bench, Part } from '../part.ts';
import { Rounds } from '../rounds.ts';
import { responseOf } from '../scenario.ts';
import { spreadOf } from '../statistics.ts';

const result = responseOf(8_000_000);
const slowResult = responseOf(8_000_000, 5_000);

/** The image tool of the Responses API, where the Images API has `prompt`. */
const members = { prompt: undefined, size: undefined, quality: undefined, input: 'a lighthouse' };
const path = '/v1/responses';

/** The forms in which a response brings its image: once, or twice in a stream of events. */
const forms = { 'JSON of a response': {}, 'events of a response': { stream: true } } as const;

const [atOnce, count, inFlight] = [4, 40, 50];

/** What a result of 8 MB of the Responses API costs, compared with the Images API that keeps its image as well. */
export const responses: Part = {
  name: 'responses',
  async run(bench) {
    const figures: Figure[] = [];
    for (const form of Object.keys(forms) as (keyof typeof forms)[]) figures.push(await cpuOf(form, bench));
    return [...figures, await memoryOf(bench)];
  },
};

async function cpuOf(form: keyof typeof forms, { upstream, driver, rounds, isQuick }: Bench): Promise<Figure> {
  const gateway = await startGateway(upstream, { scenarios: [result] });
  const ways: Readonly<Record<'kept' | 'gateway', Call>> = {
    kept: { ...gateway.call(result), isKeyed: true },
    gateway: callOf(gateway, forms[form]),
  };
  const cpu = new Rounds();
  for (let round = -1; round < rounds; round += 1) {
    for (const [column, call] of inTurn(Object.entries(ways), round + 1)) {
      const calls = isQuick ? count / 4 : count;
      const before = cpuMs(gateway.child.pid ?? 0);
      await driver.closed(call, atOnce, calls);
      if (round >= 0) cpu.add(column as keyof typeof ways, (cpuMs(gateway.child.pid ?? 0) - before) / calls);
    }
  }
  await stopChild(gateway.child);
  const values = cpu.spreads();
  return {
    part: 'responses',
    name: `${form}, 8 MB: CPU`,
    unit: 'ms',
    values,
    goals: [timesOther('aim', values, 'kept', 2)],
  };
}

/** So many results at once, as events: each image is in its response twice. */
async function memoryOf({ upstream, driver, isQuick }: Bench): Promise<Figure> {
  const peaks: number[] = [];
  for (let run = 0; run < (isQuick ? 1 : 2); run += 1) {
    const gateway = await startGateway(upstream, { scenarios: [result, slowResult] });
    const pid = gateway.child.pid ?? 0;
    await driver.closed(callOf(gateway, { stream: true }), atOnce, 20);
    forgetPeak(pid);
    const call = callOf(gateway, { stream: true }, slowResult);
    await driver.steady(call, { atOnce: inFlight, count: 2 * inFlight, beginMs: slowResult.delayMs });
    peaks.push(peakMb(pid));
    await stopChild(gateway.child);
  }
  const values = { gateway: spreadOf(peaks) };
  return {
    part: 'responses',
    name: `${inFlight} results of 8 MB in flight, as events: peak RSS`,
    unit: 'MB',
    values,
    goals: [atMost('must', values.gateway, 260)],
  };
}

function callOf(gateway: Gateway, more: object, scenario = result): Call {
  return gateway.callWith(scenario, { ...members, ...more }, path);
}
