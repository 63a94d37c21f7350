import { describe, expect, test } from 'vitest';
import { callersIn } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { caller, get, imagePrice, noon, startPricedRig } from './priced-rig.ts';
import { samplesLike } from './samples-of.ts';

const patience = { timeout: 10_000 };

const budget = (amount: number, more: object = {}) => ({ budget: { amount, currency: 'USD', per: 'month', ...more } });

type PricedRig = Awaited<ReturnType<typeof startPricedRig>>;

/** What is used of a budget, as a share. */
async function used({ app, url }: PricedRig, consumer = 'shop'): Promise<number | undefined> {
  expect(app.keyStore.names).toContain(consumer);
  return (await samplesLike(url, 'gateway_budget_used_ratio'))[`{consumer="${consumer}"}`];
}

/** Once everything is settled. */
const expectUsed = (rig: PricedRig, share: number) =>
  expect.poll(() => used(rig).then((found) => found?.toFixed(4)), patience).toBe(share.toFixed(4));

describe('a budget', () => {
  test('lets requests in until it is used up, and tells when it is reset', async () => {
    const rig = await startPricedRig(caller('shop', budget(3 * imagePrice)));
    for (let count = 0; count < 3; count += 1) expect((await rig.send('shop')).status).toBe(200);
    const refused = await rig.send('shop');
    const { error } = refused.json();
    expect([refused.status, error.type, error.code, error.param]).toEqual([
      429,
      'insufficient_quota',
      'budget_exceeded',
      null,
    ]);
    expect(error.message).toBe(
      'This key may spend 0.12 USD per month, and 0 USD are left; this request may cost 0.04 USD. The budget is reset at 2026-12-01T00:00:00Z. Nothing was sent to the image service.',
    );
    expect(refused.headers.get('retry-after')).toBe(String(12 * 60 * 60));
    expect(refused.headers.get('x-should-retry')).toBe('false');
    expect(rig.paidPosts()).toHaveLength(3);
    expect(await samplesLike(rig.url, 'gateway_budget_refused_total')).toEqual({
      '{consumer="shop"}': 1,
    });
  });

  test('is never exceeded, however many requests come at once', async () => {
    const rig = await startPricedRig(caller('shop', budget(10 * imagePrice, { per: 'day' })));
    const responses = await Promise.all(
      Array.from({ length: 100 }, (_, index) => rig.send('shop', { prompt: `${index}` })),
    );
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(responses.filter(({ status }) => status === 429)).toHaveLength(90);
    expect(rig.paidPosts()).toHaveLength(10);
    await expectUsed(rig, 1);
  });

  test('is never exceeded by three gateways that share a store', async () => {
    const dataDir = await temporaryDirectory();
    const callers = caller('shop', budget(10 * imagePrice));
    const start = () => startPricedRig(callers, { dataDir });
    const rigs = [await start(), await start(), await start()];
    const calls = Array.from({ length: 30 }, (_, index) =>
      rigs.map((rig) => rig.send('shop', { prompt: `cat ${index}` })),
    );
    const responses = await Promise.all(calls.flat());
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(rigs.reduce((sum, rig) => sum + rig.paidPosts().length, 0)).toBe(10);
    for (const rig of rigs) await expectUsed(rig, 1);
  });

  test.each([
    ['month', Date.UTC(2026, 10, 30, 23, 59, 59, 999), Date.UTC(2026, 11, 1)],
    ['day', Date.UTC(2026, 10, 29, 23, 59, 59, 999), Date.UTC(2026, 10, 30)],
  ])('of a %s begins anew at midnight UTC', async (per, before, after) => {
    const rig = await startPricedRig(caller('shop', budget(imagePrice, { per })));
    rig.clock.now = before;
    expect((await rig.send('shop')).status).toBe(200);
    const refused = await rig.send('shop');
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([429, 'false']);
    rig.clock.now = after;
    expect((await rig.send('shop')).status).toBe(200);
    expect((await rig.send('shop')).status).toBe(429);
  });

  test('of a month goes on after the end of a day', async () => {
    const rig = await startPricedRig(caller('shop', budget(imagePrice)));
    rig.clock.now = noon - 86_400_000;
    expect((await rig.send('shop')).status).toBe(200);
    rig.clock.now = noon;
    expect((await rig.send('shop')).status).toBe(429);
  });

  test('counts every image of a request, by the price of its quality', async () => {
    const rig = await startPricedRig(caller('shop', budget(0.5)));
    const model = 'dall-e-3';
    expect((await rig.send('shop', { model, n: 3, quality: 'hd' })).status).toBe(429);
    expect((await rig.send('shop', { model, n: 2, quality: 'hd' })).status).toBe(200);
    await expectUsed(rig, 0.4 / 0.5);
    expect((await rig.send('shop', { model, n: 2 })).status).toBe(429);
    expect((await rig.send('shop', { model })).status).toBe(200);
    await expectUsed(rig, 0.48 / 0.5);
  });

  test('gets back what was reserved where nothing is billed', async () => {
    const rig = await startPricedRig(caller('shop', budget(imagePrice)));
    expect((await rig.send('shop', { prompt: 'simulate:500' })).status).toBe(502);
    await expectUsed(rig, 0);
    expect((await rig.send('shop')).status).toBe(200);
  });

  test('keeps what was reserved where the outcome is unknown', async () => {
    const rig = await startPricedRig(caller('shop', budget(2 * imagePrice)));
    expect((await rig.send('shop', { prompt: 'simulate:504' })).status).toBe(504);
    await expectUsed(rig, 0.5);
    expect((await rig.send('shop')).status).toBe(200);
    expect((await rig.send('shop')).status).toBe(429);
    const spend = JSON.parse((await get(rig.url, '/v1/spend?by=model', 'shop')).text);
    expect(spend.data).toMatchObject([
      { model: 'image', calls: 2, images: 1, cost: imagePrice, assumed_cost: imagePrice, unknown_outcomes: 1 },
    ]);
  });

  test('reserves the configured maximum where the cost is not known before, and settles by the tokens', async () => {
    const tokens = { 'gpt-image-2': { textIn: 5, imageOut: 30 } };
    const callers = caller('shop', { ...budget(1.5, { maxImageCost: 1 }), models: ['image'] });
    const rig = await startPricedRig(callers, { fileKeys: { prices: tokens } });
    expect((await rig.send('shop', { n: 2 })).status).toBe(429);
    expect((await rig.send('shop')).status).toBe(200);
    const cost = (2 * 5 + 4096 * 30) / 1e6;
    await expectUsed(rig, cost / 1.5);
    expect((await rig.send('shop')).status).toBe(200);
    const [row] = JSON.parse((await get(rig.url, '/v1/spend?by=consumer', 'shop')).text).data;
    expect(row).toMatchObject({ calls: 2, images: 2, text_in_tokens: 4, image_out_tokens: 8192, unpriced_calls: 0 });
    expect(row.cost).toBeCloseTo(2 * cost, 9);
  });

  test('keeps the maximum where the price of what was made is not known', async () => {
    const callers = caller('shop', { ...budget(10, { maxImageCost: 1 }), models: ['image'] });
    const rig = await startPricedRig(callers, { fileKeys: { prices: {} } });
    expect((await rig.send('shop')).status).toBe(200);
    await expectUsed(rig, 0.1);
    const [row] = JSON.parse((await get(rig.url, '/v1/spend?by=consumer', 'shop')).text).data;
    expect(row).toMatchObject({ cost: 0, assumed_cost: 1, unpriced_calls: 1, unknown_outcomes: 0 });
  });

  test('has no say in what joins or replays a request that was paid for', async () => {
    const rig = await startPricedRig(caller('shop', budget(imagePrice)), { times: { lingerMs: 60_000 } });
    const key = { 'idempotency-key': 'one' };
    expect((await rig.send('shop', {}, key)).status).toBe(200);
    const again = await rig.send('shop', {}, key);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    const other = await rig.send('shop', {}, { 'idempotency-key': 'two' });
    expect(other.status).toBe(429);
    rig.clock.now = Date.UTC(2026, 11, 1);
    // A key is free again when nothing was sent for it.
    expect((await rig.send('shop', {}, { 'idempotency-key': 'two' })).status).toBe(200);
    expect(rig.paidPosts()).toHaveLength(2);
  });

  test('is each consumer’s own', async () => {
    const rig = await startPricedRig({ ...caller('shop', budget(imagePrice)), ...caller('mill', budget(imagePrice)) });
    expect((await rig.send('shop')).status).toBe(200);
    expect((await rig.send('shop')).status).toBe(429);
    expect((await rig.send('mill')).status).toBe(200);
  });

  test('gives back the images of the quota when it refuses', async () => {
    const limits = { limits: { images: 5 } };
    const rig = await startPricedRig(caller('shop', { ...budget(imagePrice), ...limits }));
    expect((await rig.send('shop', { n: 2 })).status).toBe(429);
    const response = await rig.send('shop');
    expect([response.status, response.headers.get('x-ratelimit-remaining-images')]).toEqual([200, '4']);
  });

  test('that is changed counts for the current period at once', async () => {
    const rig = await startPricedRig(caller('shop', budget(imagePrice)));
    const replace = (more: object) => rig.app.keyStore.replace(callersIn(caller('shop', more), rig.app.models));
    expect((await rig.send('shop')).status).toBe(200);
    expect((await rig.send('shop')).status).toBe(429);
    replace(budget(2 * imagePrice));
    expect((await rig.send('shop')).status).toBe(200);
    // What was spent in the month was spent today, too.
    replace(budget(2 * imagePrice, { per: 'day' }));
    expect((await rig.send('shop')).status).toBe(429);
    replace({});
    expect((await rig.send('shop')).status).toBe(200);
    replace(budget(3 * imagePrice));
    expect((await rig.send('shop')).status).toBe(429);
  });
});

describe('the soft limit of a budget', () => {
  test('shows in a header, in metrics, and once in the log', async () => {
    const rig = await startPricedRig(caller('shop', budget(10 * imagePrice, { soft: 0.8 })));
    const headers: (string | null)[] = [];
    for (let count = 0; count < 11; count += 1) {
      const { headers: found } = await rig.send('shop');
      headers.push(found.get('x-gateway-budget'));
    }
    const warning = (used: number) => `used=${used}%; amount=0.4 USD; per=month; reset=2026-12-01T00:00:00Z`;
    expect(headers).toEqual([...Array(7).fill(null), ...[80, 90, 100, 100].map(warning)]);
    expect(rig.log.filter(({ msg }) => String(msg).startsWith('budget: '))).toMatchObject([
      { consumer: 'shop', used: '0.32', amount: '0.4', currency: 'USD', per: 'month', msg: 'budget: 80 % are used' },
    ]);
    expect(await samplesLike(rig.url, 'gateway_budget_soft_limit_total')).toEqual({
      '{consumer="shop"}': 3,
    });
  });

  test('is not there by default', async () => {
    const rig = await startPricedRig(caller('shop', budget(imagePrice)));
    expect((await rig.send('shop')).headers.get('x-gateway-budget')).toBeNull();
    expect((await rig.send('shop')).headers.get('x-gateway-budget')).toBeNull();
  });
});
