import { test } from 'vitest';
import { heldAfterSending } from '../crash/matrix/modes.ts';
import { useBundle } from '../crash/matrix/use-bundle.ts';
import { Replicas } from './replicas.ts';

const program = useBundle();

const key = 'the-key-of-the-shop';

/** Sends so many requests at once, over the replicas in turn. The statuses are there as they come. */
function sendAll(urls: readonly string[], count: number): { readonly statuses: number[]; readonly all: Promise<void> } {
  const statuses: number[] = [];
  const requests = Array.from({ length: count }, async (_, at) => {
    const response = await fetch(`${urls[at % urls.length]}/v1/images/generations`, {
      method: 'POST',
      headers: { 'api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'image', prompt: `a cat, ${at}` }),
    });
    await response.arrayBuffer();
    statuses.push(response.status);
  });
  return { statuses, all: Promise.all(requests).then(() => {}) };
}

function callers(limits: object): object {
  return { shop: { keys: [{ key }], limits } };
}

const count = (statuses: readonly number[], status: number) => statuses.filter((one) => one === status).length;

test.concurrent.for([
  ['requests', { requests: 10, windowMs: 3_600_000 }, 10],
  ['images', { images: 10, windowMs: 3_600_000 }, 10],
] as const)(
  'three replicas together let no more %s through than a consumer may have',
  async ([, limits, allowed], { expect }) => {
    await using replicas = await Replicas.prepare(program.entry, { callers: callers(limits) });
    const urls = (await Promise.all([replicas.start(), replicas.start(), replicas.start()])).map(({ url }) => url);
    const { statuses, all } = sendAll(urls, 60);
    await all;
    expect([count(statuses, 200), count(statuses, 429)]).toEqual([allowed, 60 - allowed]);
    expect(replicas.simulator.ledger.generations).toHaveLength(allowed);
  },
);

test.concurrent('three replicas together run no more at once than a consumer may have', async ({ expect }) => {
  await using replicas = await Replicas.prepare(program.entry, { callers: callers({ concurrent: 4 }) });
  const urls = (await Promise.all([replicas.start(), replicas.start(), replicas.start()])).map(({ url }) => url);
  replicas.relay.hold(heldAfterSending);
  const { statuses, all } = sendAll(urls, 30);
  await replicas.relay.holds(4);
  await expect.poll(() => count(statuses, 429)).toBe(26);
  replicas.relay.release();
  await all;
  expect(count(statuses, 200)).toBe(4);
  const again = sendAll(urls, 2);
  await again.all;
  expect(again.statuses).toEqual([200, 200]);
});
