import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { caller, get, imagePrice, noon, startPricedRig } from './priced-rig.ts';
import { startRig } from './rig.ts';

const callers = { ...caller('boss', { role: 'admin' }), ...caller('shop'), ...caller('mill') };

type Row = Record<string, unknown> & { readonly images: number; readonly cost: number };
type Spend = { from: string; to: string; by: string[]; currency: string; data: Row[]; totals: Row[] };

async function spendOf(url: string, name: string, query = ''): Promise<Spend> {
  const { status, text } = await get(url, `/v1/spend${query}`, name);
  expect(status).toBe(200);
  return JSON.parse(text);
}

/** A gateway that has served both consumers on two days, by two models. */
async function startUsed() {
  const rig = await startPricedRig(callers);
  rig.clock.now = noon - 86_400_000;
  await rig.send('shop', { n: 2 });
  await rig.send('mill', { model: 'dall-e-2' });
  rig.clock.now = noon;
  await rig.send('shop', { model: 'dall-e-3' });
  await rig.send('shop', { prompt: 'simulate:504' });
  await expect.poll(async () => (await spendOf(rig.url, 'boss', '?by=day')).totals[0]?.calls).toBe(4);
  return rig;
}

describe('GET /v1/spend', () => {
  test('sums up what all have spent, as the upstream has billed it', async () => {
    const { url, simulator } = await startUsed();
    const spend = await spendOf(url, 'boss', '?from=2026-11-01&to=2026-11-30&by=consumer,model');
    expect(spend).toMatchObject({ from: '2026-11-01', to: '2026-11-30', by: ['consumer', 'model'], currency: 'USD' });
    expect(spend.data).toMatchObject([
      { consumer: 'mill', model: 'dall-e-2', images: 1, cost: 0.02 },
      { consumer: 'shop', model: 'dall-e-3', images: 1, cost: 0.08 },
      { consumer: 'shop', model: 'image', images: 2, cost: 2 * imagePrice, calls: 2, unknown_outcomes: 1 },
    ]);
    expect(spend.totals).toMatchObject([{ currency: 'USD', images: 4, calls: 4, cost: 0.18, unknown_outcomes: 1 }]);
    const { billed, images } = simulator.ledger.counts();
    // The one whose outcome is unknown was billed, too.
    expect([billed, images]).toEqual([4, 5]);
  });

  test('is of the current month, by consumer and day, by default', async () => {
    const { url } = await startUsed();
    const spend = await spendOf(url, 'boss');
    expect(spend).toMatchObject({ from: '2026-11-01', to: '2026-11-30', by: ['consumer', 'day'] });
    expect(spend.data.map(({ consumer, day, images }) => [consumer, day, images])).toEqual([
      ['mill', '2026-11-29', 1],
      ['shop', '2026-11-29', 2],
      ['shop', '2026-11-30', 1],
    ]);
    expect((await spendOf(url, 'boss', '?from=2026-11-30')).totals).toMatchObject([{ calls: 2 }]);
    expect(await spendOf(url, 'boss', '?to=2026-10-15')).toMatchObject({ from: '2026-10-01', data: [] });
  });

  test('shows each consumer its own, and an administrator any', async () => {
    const { url } = await startUsed();
    for (const query of ['', '?consumer=shop']) {
      expect((await spendOf(url, 'shop', query)).totals).toMatchObject([{ images: 3 }]);
    }
    expect((await spendOf(url, 'boss', '?consumer=mill')).totals).toMatchObject([{ images: 1 }]);
    const refused = await get(url, '/v1/spend?consumer=mill', 'shop');
    expect([refused.status, JSON.parse(refused.text).error.param]).toEqual([403, 'consumer']);
    expect((await get(url, '/v1/spend', 'stranger')).status).toBe(401);
  });

  test('is CSV for who wants that, with the same sums', async () => {
    const { url } = await startUsed();
    const query = '/v1/spend?by=consumer,target';
    const asked = [
      await get(url, query, 'boss', { accept: 'text/csv' }),
      await get(url, `${query}&format=csv`, 'boss', { accept: 'application/json' }),
    ];
    for (const { headers, text } of asked) {
      expect(headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
      const [head = '', ...lines] = text.split('\r\n').slice(0, -1);
      const names = head.split(',');
      expect(names.slice(0, 5)).toEqual(['consumer', 'target', 'currency', 'calls', 'images']);
      const costs = lines.map((line) => Number(line.split(',')[names.indexOf('cost')]));
      expect(costs).toEqual((await spendOf(url, 'boss', '?by=consumer,target')).data.map(({ cost }) => cost));
      expect(costs).toEqual([0.02, 0.16]);
    }
  });

  test.each([
    ['from=2026-02-30', 'from'],
    ['from=today', 'from'],
    ['to=2026-11-1', 'to'],
    ['from=2026-11-30&to=2026-11-29', 'to'],
    ['from=2025-11-29&to=2026-11-30', 'from'],
    ['by=price', 'by'],
    ['by=', 'by'],
    ['by=day&by=model', 'by'],
    ['format=xml', 'format'],
    ['since=2026-11-01', 'since'],
  ])('refuses %s', async (query, param) => {
    const { url } = await startPricedRig(callers);
    const refused = await get(url, `/v1/spend?${query}`, 'shop');
    expect([refused.status, JSON.parse(refused.text).error.param]).toEqual([400, param]);
  });

  test('takes a whole leap year', async () => {
    const { url } = await startPricedRig(callers);
    expect((await get(url, '/v1/spend?from=2024-01-01&to=2024-12-31', 'shop')).status).toBe(200);
  });

  test('shows everything where no key is needed', async () => {
    const { url } = await startRig({ keys: [] });
    const response = await fetch(`${url}/v1/spend?consumer=x`);
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { data: [], totals: [{ calls: 0, cost: 0 }] },
    ]);
    expect((await fetch(`${url}/v1/targets`)).status).toBe(200);
  });

  test('counts a job that runs without its client, and what was spent before a restart', async () => {
    const dataDir = await temporaryDirectory();
    const first = await startPricedRig(callers, { dataDir });
    expect((await first.send('shop', {}, { prefer: 'respond-async' })).status).toBe(202);
    await expect.poll(async () => (await spendOf(first.url, 'boss')).totals[0]?.images).toBe(1);
    const second = await startPricedRig(callers, { dataDir });
    expect((await spendOf(second.url, 'shop')).totals).toMatchObject([{ images: 1, cost: imagePrice }]);
  });
});

test('costs by list prices are told as estimates, everywhere', async () => {
  const rig = await startPricedRig(callers, { fileKeys: { prices: 'list' } });
  const { headers } = await rig.send('shop', { n: 2 });
  const cost = Number(headers.get('x-gateway-cost-usd'));
  expect(cost).toBeGreaterThan(0);
  expect(headers.get('x-gateway-cost-estimated')).toBe('true');
  await rig.send('shop', { model: 'dall-e-2' });
  await expect.poll(async () => (await spendOf(rig.url, 'boss')).totals[0]?.calls).toBe(2);
  const { data } = await spendOf(rig.url, 'boss', '?by=model');
  expect(data).toMatchObject([
    { model: 'dall-e-2', cost: 0, estimated_cost: 0, unpriced_calls: 1 },
    { model: 'image', cost, estimated_cost: cost, unpriced_calls: 0 },
  ]);
  const lines = rig.log.filter(({ msg }) => msg === 'generation');
  expect(lines.map((line) => [line.cost, line.costEstimated])).toEqual([
    [cost, true],
    [null, undefined],
  ]);
  const metrics = await (await fetch(`${rig.url}/metrics`, { headers: { authorization: 'Bearer boss-key' } })).text();
  expect(metrics).toContain(`gateway_cost_total{model="image",target="1",currency="USD",estimated="true"} ${cost}`);
});

test('the operator’s own price is no estimate', async () => {
  const { send, url } = await startPricedRig(callers);
  const { headers } = await send('shop', { n: 2 });
  expect([headers.get('x-gateway-cost-usd'), headers.get('x-gateway-cost-estimated')]).toEqual(['0.08', null]);
  await expect.poll(async () => (await spendOf(url, 'boss')).totals[0]?.calls).toBe(1);
  expect((await spendOf(url, 'boss')).totals).toMatchObject([{ cost: 0.08, estimated_cost: 0 }]);
});

describe('GET /v1/targets', () => {
  test('shows an administrator the state of every target, and nobody else', async () => {
    const { url } = await startPricedRig(callers);
    const { status, text } = await get(url, '/v1/targets', 'boss');
    expect(status).toBe(200);
    const { data } = JSON.parse(text);
    expect(data).toHaveLength(4);
    expect(data[0]).toEqual({
      ...{ object: 'target', model: 'image', target: '1', breaker: 'closed', cooling_down_until: null },
      ...{ calls: 0, waiting: 0, retires_on: '2027-10-21', successor: null, tried_last: false },
    });
    expect((await get(url, '/v1/targets', 'shop')).status).toBe(403);
    expect((await get(url, '/v1/targets', 'stranger')).status).toBe(401);
  });

  test('says until when a target is left alone', async () => {
    const rig = await startPricedRig(callers);
    expect((await rig.send('shop', { prompt: 'simulate:429-seconds-30' })).status).toBe(429);
    const { data } = JSON.parse((await get(rig.url, '/v1/targets', 'boss')).text);
    expect(Date.parse(data[0].cooling_down_until)).toBeGreaterThan(Date.now());
  });
});
