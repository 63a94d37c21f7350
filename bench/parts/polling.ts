import { Readable } from 'node:stream';
import { pollUntilEnded } from '../../src/providers/azure/poll-until-ended.ts';
import { readOperation } from '../../src/providers/azure-async/azure-operation.ts';
import { atMost, type Figure, type Goal } from '../figure.ts';
import { VirtualClock } from '../measures/virtual-clock.ts';
import type { Part } from '../part.ts';
import { percentile, type Spread, spreadOf } from '../statistics.ts';

const roundTripMs = 20;
const maxMs = 60_000;
const durations = Array.from({ length: 591 }, (_, at) => 1_000 + at * 100);

/** How soon the gateway's own polling notices that an operation is done, and how often it asks. No hint is given. */
export const polling: Part = {
  name: 'polling',
  async run({ rounds }) {
    const found = { median: [] as number[], p90: [] as number[], ms: [] as number[], polls: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      const operations: Polled[] = [];
      for (const durationMs of durations) operations.push(await follow(durationMs));
      const shares = operations.map(({ wasteMs, durationMs }) => (100 * wasteMs) / durationMs);
      found.median.push(percentile(shares, 50));
      found.p90.push(percentile(shares, 90));
      found.ms.push(
        percentile(
          operations.map(({ wasteMs }) => wasteMs),
          50,
        ),
      );
      found.polls.push(operations.find(({ durationMs }) => durationMs === maxMs)?.polls ?? 0);
    }
    const [median, polls] = [spreadOf(found.median), spreadOf(found.polls)];
    return [
      figure('median waste over durations of 1 to 60 s', '%', median, atMost('must', median, 3)),
      figure('the same, p90', '%', spreadOf(found.p90)),
      figure('the same, median in time', 'ms', spreadOf(found.ms)),
      figure('polls of an operation of 60 s', '', polls, atMost('must', polls, 40)),
    ];
  },
};

function figure(name: string, unit: string, gateway: Spread, goal?: Goal): Figure {
  return { part: 'polling', name, unit, values: { gateway }, goals: goal ? [goal] : [] };
}

type Polled = { readonly durationMs: number; readonly wasteMs: number; readonly polls: number };

async function follow(durationMs: number): Promise<Polled> {
  const clock = new VirtualClock();
  let polls = 0;
  const poll = async () => {
    polls += 1;
    clock.now += roundTripMs / 2;
    const status = clock.now >= durationMs ? 'succeeded' : 'running';
    clock.now += roundTripMs / 2;
    const body = Readable.from([Buffer.from(JSON.stringify({ id: 'x', status, result: { data: [] } }))]);
    return { status: 200, headers: { 'content-type': 'application/json' }, body };
  };
  const { signal } = new AbortController();
  await clock.during(() => pollUntilEnded({ poll, read: readOperation, firstHintMs: undefined, signal }));
  return { durationMs, wasteMs: clock.now - durationMs, polls };
}
