import { expect as expectOutside, test } from 'vitest';
import { heldAfterSending } from '../crash/matrix/modes.ts';
import { useBundle } from '../crash/matrix/use-bundle.ts';
import { Replicas } from './replicas.ts';

const program = useBundle();

const key = 'the-key-of-the-shop';
const adminKey = 'the-key-of-the-books';
const price = 0.04;

const callers = {
  shop: { keys: [{ key }], budget: { amount: 10 * price, currency: 'USD', per: 'month' } },
  books: { keys: [{ key: adminKey }], role: 'admin' },
};
const options = { callers, keys: { price: { images: [{ price }] } } };

async function send(url: string, prompt: string): Promise<number> {
  const response = await fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'image', prompt }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Sends so many requests at once, over the replicas in turn. Gives how many were served, and how many refused. */
async function sendAll(urls: readonly string[], count: number): Promise<readonly [served: number, refused: number]> {
  const sent = Array.from({ length: count }, (_, at) => send(urls[at % urls.length] as string, `a cat, ${at}`));
  const statuses = await Promise.all(sent);
  return [statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 429).length];
}

/** What was spent, as a replica tells an administrator. */
async function totalOf(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/v1/spend?by=consumer`, { headers: { 'api-key': adminKey } });
  expectOutside(response.status).toBe(200);
  return ((await response.json()) as { totals: Record<string, unknown>[] }).totals[0] ?? {};
}

test.concurrent('three replicas together spend no more than a consumer may', async ({ expect }) => {
  await using replicas = await Replicas.prepare(program.entry, options);
  const urls = (await Promise.all([replicas.start(), replicas.start(), replicas.start()])).map(({ url }) => url);
  expect(await sendAll(urls, 100)).toEqual([10, 90]);
  expect(replicas.simulator.ledger.generations).toHaveLength(10);
  for (const url of urls) {
    await expect.poll(() => totalOf(url)).toMatchObject({ calls: 10, images: 10, cost: 0.4, unknown_outcomes: 0 });
  }
});

test.concurrent('what a replica has spent that is killed counts for the others', async ({ expect }) => {
  await using replicas = await Replicas.prepare(program.entry, options);
  const [killed, other] = await Promise.all([replicas.start(), replicas.start()]);
  replicas.relay.hold(heldAfterSending);
  const lost = Array.from({ length: 4 }, (_, at) => send(killed.url, `a dog, ${at}`).catch(() => 'lost'));
  await replicas.relay.holds(4);
  await killed.kill();
  replicas.relay.release();
  expect(await Promise.all(lost)).toEqual(['lost', 'lost', 'lost', 'lost']);
  await expect.poll(() => totalOf(other.url)).toMatchObject({ calls: 4, unknown_outcomes: 4, assumed_cost: 4 * price });
  expect(await sendAll([other.url], 20)).toEqual([6, 14]);
  await expect.poll(() => totalOf(other.url)).toMatchObject({ calls: 10, images: 6, cost: 6 * price });
});
