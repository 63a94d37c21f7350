import { describe, expect, test } from 'vitest';
import { samplesLike } from '../end-to-end/samples-of.ts';
import { startQuotaRig, target, windowMs } from './quota-rig.ts';

const patience = { timeout: 20_000 };
const pooled = { quota: 'sub-a' };
const twelve = { 'sub-a': { requestsPerMinute: 12 } };

/** One request a window: the next one waits for all of it. */
const one = { 'sub-a': { requestsPerMinute: 1 } };

describe('a quota pool', () => {
  test('that is used up: requests overflow to a target of another pool, whatever its priority', async () => {
    const rig = await startQuotaRig({
      targets: [target('a', 'gpt-image-2', pooled), target('b', 'gpt-image-1.5', { quota: 'sub-b', priority: 1 })],
      quotas: { ...one, 'sub-b': { requestsPerMinute: 60 } },
    });
    const responses = [await rig.call('a red fox'), await rig.call('a blue owl'), await rig.call('a grey cat')];
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(rig.sent().map(({ deployment }) => deployment)).toEqual(['gpt-image-2', 'gpt-image-1.5', 'gpt-image-1.5']);
  });

  test('is shared by its targets: the other one of the same pool is no way out', async () => {
    const rig = await startQuotaRig({
      targets: [target('a', 'gpt-image-2', pooled), target('b', 'gpt-image-1.5', { ...pooled, priority: 1 })],
      quotas: one,
      timeoutMs: 5_000,
    });
    expect((await rig.call('a red fox')).status).toBe(200);
    expect((await rig.call('a blue owl')).status).toBe(429);
    expect(rig.sent()).toHaveLength(1);
  });

  test('without time for a turn a request is refused at once, told the true wait, and not sent', async () => {
    const rig = await startQuotaRig({ targets: [target('a', 'gpt-image-2', pooled)], quotas: one, replicas: 2 });
    expect((await rig.call('a red fox', { replica: 1 })).status).toBe(200);
    const waiting = rig.call('a blue owl');
    await expect.poll(() => rig.gateways[0]?.app.gateway.state.quotas[0]?.waiting, patience).toBe(1);
    const headers = { 'x-gateway-timeout-ms': '5000' };
    const begin = performance.now();
    const refused = await rig.call('a late bee', { headers, replica: 1 });
    expect([refused.status, refused.json().error.code]).toEqual([429, 'rate_limit_exceeded']);
    expect(refused.json().error.message).toContain('Nothing was sent');
    // The one before it, and then itself: two windows from the first call on.
    const retryAt = begin + Number(refused.headers.get('retry-after-ms'));
    expect(retryAt - (rig.sent()[0]?.at ?? 0)).toBeGreaterThan(1.9 * windowMs);
    expect(retryAt - (rig.sent()[0]?.at ?? 0)).toBeLessThan(2.5 * windowMs);
    const served = await waiting;
    expect(served.status).toBe(200);
    // It has waited in a queue, and not for Azure.
    const [, queued] = /queue;dur=([\d.]+)/.exec(served.headers.get('server-timing') ?? '') ?? [];
    expect(Number(queued)).toBeGreaterThan(windowMs / 2);
    expect(rig.sent().map(({ prompt }) => prompt)).toEqual(['a red fox', 'a blue owl']);
  });

  test('a client that disconnects while it waits gives up its place', async () => {
    const rig = await startQuotaRig({ targets: [target('a', 'gpt-image-2', pooled)], quotas: one });
    expect((await rig.call('a red fox')).status).toBe(200);
    const client = new AbortController();
    const gateway = rig.gateways[0];
    const waiting = () => gateway?.app.gateway.state.quotas[0]?.waiting;
    const gone = fetch(`${gateway?.url}/v1/images/generations`, {
      method: 'POST',
      headers: { authorization: 'Bearer shop-key', 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'image', prompt: 'a lost crow' }),
      signal: client.signal,
    });
    await expect.poll(waiting, patience).toBe(1);
    client.abort();
    await expect(gone).rejects.toThrow();
    await expect.poll(waiting, patience).toBe(0);
    expect((await rig.call('a grey cat')).status).toBe(200);
    expect(rig.sent().map(({ prompt }) => prompt)).toEqual(['a red fox', 'a grey cat']);
  });

  test('counts each call of a fan-out', async () => {
    const rig = await startQuotaRig({
      targets: [target('a', 'gpt-image-2', { ...pooled, capabilities: { maxCount: 1 } })],
      quotas: { 'sub-a': { requestsPerMinute: 60 } },
    });
    expect((await rig.call('three', { body: { n: 3 } })).json().data).toHaveLength(3);
    expect(await samplesLike(rig.gateways[0]?.url ?? '', 'gateway_quota_')).toMatchObject({
      'used_ratio{pool="sub-a"}': 3 / 60,
      'waiting{pool="sub-a"}': 0,
    });
  });

  test('a job without a client waits as long as it takes', { timeout: 60_000 }, async () => {
    const rig = await startQuotaRig({
      targets: [target('a', 'gpt-image-2', pooled)],
      quotas: one,
      timeoutMs: 2_000,
    });
    expect((await rig.call('a red fox')).status).toBe(200);
    expect((await rig.call('a slow snail', { headers: { prefer: 'respond-async' } })).status).toBe(202);
    await expect.poll(() => rig.sent().map(({ prompt }) => prompt), patience).toEqual(['a red fox', 'a slow snail']);
    await expect.poll(() => rig.simulator.ledger.generations.length, patience).toBe(2);
  });
});

describe('a 429', () => {
  test('of one replica spares the others, and the other targets of its pool', { timeout: 30_000 }, async () => {
    const rig = await startQuotaRig({
      targets: [target('a', 'gpt-image-2', pooled), target('b', 'gpt-image-1.5', { ...pooled, priority: 1 })],
      quotas: { 'sub-a': { requestsPerMinute: 600 } },
      replicas: 2,
    });
    const headers = { 'x-gateway-timeout-ms': '3000' };
    const refused = 'a red fox simulate:429-seconds-4';
    expect((await rig.call(refused, { headers })).status).toBe(429);
    const spared = await rig.call('a blue owl', { headers, replica: 1 });
    expect([spared.status, spared.json().error.code]).toEqual([429, 'rate_limit_exceeded']);
    const waitMs = Number(spared.headers.get('retry-after-ms'));
    expect(waitMs).toBeGreaterThan(2_000);
    expect(waitMs).toBeLessThanOrEqual(4_000);
    expect(rig.sent().map(({ prompt }) => prompt)).toEqual([refused]);
    // Who has time waits for the end of what Azure has asked for.
    expect((await rig.call('a grey cat', { replica: 1 })).status).toBe(200);
    const [first, last] = rig.sent().map(({ at }) => at) as [number, number];
    expect(last - first).toBeGreaterThan(3_900);
  });

  test('teaches a pool without numbers what it allows', { timeout: 60_000 }, async () => {
    const rig = await startQuotaRig({
      targets: [target('a', 'gpt-image-2', pooled)],
      quotas: { 'sub-a': {} },
      enforced: [{ requests: 3, windowMs }],
      replicas: 2,
      // It is tried now and then whether the pool allows more.
      maxRetries: 10,
    });
    const calls = Array.from({ length: 10 }, (_, index) => rig.call(`call ${index}`, { replica: index % 2 }));
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(10).fill(200));
    // All that were sent before the first 429 came; and afterwards, once a window at most, the one that tries whether there is more.
    const times = rig.sent().map(({ at }) => at);
    const windows = Math.ceil((Math.max(...times) - Math.min(...times)) / windowMs);
    expect(rig.simulator.quotas.refused).toBeGreaterThan(0);
    expect(rig.simulator.quotas.refused).toBeLessThanOrEqual(7 + windows);
  });
});

test('what Azure says is left corrects a pool that others use, too', { timeout: 30_000 }, async () => {
  const rig = await startQuotaRig({
    targets: [target('a', 'gpt-image-2', pooled)],
    quotas: { 'sub-a': { requestsPerMinute: 60 } },
    enforced: [{ requests: 60, windowMs }],
  });
  const used = async () =>
    (await samplesLike(rig.gateways[0]?.url ?? '', 'gateway_quota_used_ratio'))['{pool="sub-a"}'];
  const foreign = Array.from({ length: 20 }, () =>
    fetch(`${rig.simulator.origin}/openai/deployments/gpt-image-2/images/generations?api-version=2025-04-01-preview`, {
      method: 'POST',
      headers: { 'api-key': rig.simulator.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'foreign' }),
    }),
  );
  await Promise.all(foreign);
  expect((await rig.call('own')).status).toBe(200);
  await expect.poll(used, patience).toBeCloseTo(21 / 60);
});

test('the wait that a target has asked one replica for is kept by the others, too', async () => {
  const rig = await startQuotaRig({
    targets: [target('a', 'gpt-image-2'), target('b', 'gpt-image-1.5', { priority: 1 })],
    quotas: {},
    replicas: 2,
  });
  expect((await rig.call('a red fox simulate:503-busy-30', { headers: { 'x-gateway-max-retries': '0' } })).status).toBe(
    503,
  );
  const coolDownMs = () => rig.gateways[1]?.app.gateway.state.targets[0]?.coolDownMs;
  await expect.poll(coolDownMs, patience).toBeGreaterThan(0);
  expect((await rig.call('a blue owl', { replica: 1 })).status).toBe(200);
  expect(rig.sent().map(({ deployment }) => deployment)).toEqual(['gpt-image-2', 'gpt-image-1.5']);
});

test('without the store nothing is sent to a target with a quota', async () => {
  const rig = await startQuotaRig({ targets: [target('a', 'gpt-image-2', pooled)], quotas: twelve });
  await rig.gateways[0]?.stores.jobs.close();
  const refused = await rig.call('a red fox');
  expect([refused.status, refused.json().error.code]).toEqual([503, 'store_unavailable']);
  expect(rig.sent()).toEqual([]);
});

test('changed numbers count at once, also for those that wait', { timeout: 30_000 }, async () => {
  const rig = await startQuotaRig({ targets: [target('a', 'gpt-image-2', pooled)], quotas: one });
  const [gateway] = rig.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  expect((await rig.call('a red fox')).status).toBe(200);
  const waiting = rig.call('a blue owl');
  await expect.poll(() => gateway.app.gateway.state.quotas[0]?.waiting, patience).toBe(1);
  gateway.app.prepare({ ...gateway.app.models, quotas: new Map([['sub-a', { requests: 60 }]]) }, undefined)();
  expect((await waiting).status).toBe(200);
  const [first, second] = rig.sent().map(({ at }) => at) as [number, number];
  expect(second - first).toBeLessThan(windowMs / 2);
});
