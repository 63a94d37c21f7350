import { expect, test } from 'vitest';
import { useBundle } from '../crash/matrix/use-bundle.ts';
import { Replicas } from './replicas.ts';

const program = useBundle();

/** Azure's minute in this test. */
const windowMs = 6_000;

const consumers = ['shop', 'mill', 'farm'];
const keyOf = (consumer: string) => `the-key-of-the-${consumer}`;
const callers = Object.fromEntries(consumers.map((name) => [name, { keys: [{ key: keyOf(name) }] }]));

test('of 12 a minute, three replicas with 60 waiting requests use nearly all, get no 429, and serve everybody in turn', async () => {
  await using replicas = await Replicas.prepare(program.entry, {
    callers,
    // Whoever is the last waits for nearly five windows.
    keys: { quota: 'sub-a', timeoutMs: 120_000 },
    quotas: { 'sub-a': { requestsPerMinute: 12 } },
    enforced: [{ requests: 12, windowMs }],
  });
  const stores = { quotas: { windowMs, marginMs: 180, pollMs: 50 } };
  const starts = Array.from({ length: 3 }, () => replicas.start({ stores }));
  const urls = (await Promise.all(starts)).map(({ url }) => url);
  const calls = Array.from({ length: 60 }, async (_, at) => {
    const consumer = consumers[at % 3] as string;
    const response = await fetch(`${urls[Math.floor(at / 3) % 3]}/v1/images/generations`, {
      method: 'POST',
      headers: { 'api-key': keyOf(consumer), 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'image', prompt: `${consumer} ${at}` }),
    });
    await response.arrayBuffer();
    return response.status;
  });
  expect(await Promise.all(calls)).toEqual(Array(60).fill(200));
  expect(replicas.simulator.quotas.refused).toBe(0);
  // In steps of a sixth of the window with two calls in each: what Azure allows at most. With so short a window a quiet machine gets
  // 96 % of that, a busy one less; test/storage/sql/quota-rows.test.ts plays minutes.
  const sentAt = replicas.simulator.ledger.requests.filter(({ method }) => method === 'POST').map(({ at }) => at);
  const lasted = (sentAt.at(-1) ?? 0) - (sentAt[0] ?? 0);
  expect(((29 / 6) * windowMs) / lasted).toBeGreaterThanOrEqual(0.8);
  const order = replicas.simulator.ledger.generations.map(({ prompt }) => prompt.split(' ')[0]);
  expect(order).toHaveLength(60);
  for (let length = 3; length <= 60; length += 1) {
    const counts = consumers.map((name) => order.slice(0, length).filter((one) => one === name).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3);
  }
});
