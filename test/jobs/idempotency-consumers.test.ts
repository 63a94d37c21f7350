import { describe, expect, test } from 'vitest';
import { callersIn } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { edit, generate, keyed, keyHeaders, startPaidOnce } from './paid-once.ts';

const as = (gatewayKey: string, idempotencyKey = 'k') => ({
  authorization: `Bearer ${gatewayKey}`,
  ...keyed(idempotencyKey),
});

const callers = {
  shop: { keys: [{ key: 'shop-old' }, { key: 'shop-new' }] },
  mill: { keys: [{ key: 'mill-key' }] },
};

describe('a key belongs to its consumer', () => {
  test('two keys of one consumer share it, another consumer has its own', async () => {
    const rig = await startPaidOnce({ keys: [], callers });
    const first = await generate(rig.url, {}, as('shop-old'));
    const same = await generate(rig.url, {}, as('shop-new'));
    expect(keyHeaders(same)).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
    // Another request is no conflict either: nothing of the one consumer can be seen by the other.
    for (const prompt of ['a cat', 'a dog']) {
      const other = await generate(rig.url, { prompt }, as('mill-key', prompt === 'a cat' ? 'k' : 'k2'));
      expect([other.status, keyHeaders(other).replayed]).toEqual([200, null]);
      expect(keyHeaders(other).job).not.toBe(keyHeaders(first).job);
    }
    expect((await generate(rig.url, { prompt: 'a dog' }, as('mill-key'))).status).toBe(422);
    expect(rig.received).toBe(3);
  });

  test('keys of GATEWAY_API_KEYS are told apart by themselves, also after a restart that has reordered them', async () => {
    const dataDir = await temporaryDirectory();
    const [one, two, three] = ['key-number-one', 'key-number-two', 'key-number-three'];
    const before = await startPaidOnce({ dataDir, keys: [one, two] });
    const jobs = [await generate(before.url, {}, as(one)), await generate(before.url, {}, as(two))].map(
      (response) => keyHeaders(response).job,
    );
    expect(new Set(jobs).size).toBe(2);
    await before.app.server.close();
    const after = await startPaidOnce({ dataDir, keys: [three, two, one] });
    for (const [index, key] of [one, two].entries()) {
      expect(keyHeaders(await generate(after.url, {}, as(key)))).toEqual({ job: jobs[index], replayed: 'true' });
    }
    expect(keyHeaders(await generate(after.url, {}, as(three))).replayed).toBeNull();
    expect([before.received, after.received]).toEqual([2, 1]);
  });

  test('a gateway key that was revoked replays nothing; a new key of the same consumer does', async () => {
    const rig = await startPaidOnce({ keys: [], callers });
    const first = await generate(rig.url, {}, as('shop-old'));
    const known = { models: rig.app.models.models, aliases: rig.app.models.aliases };
    rig.app.keyStore.replace(callersIn({ shop: { keys: [{ key: 'shop-new' }] } }, known));
    for (const headers of [as('shop-old'), as('mill-key'), as('nobody'), { ...keyed('k'), authorization: '' }]) {
      const response = await generate(rig.url, {}, headers);
      expect([response.status, response.json().error.code]).toEqual([401, 'invalid_api_key']);
      expect(keyHeaders(response)).toEqual({ job: null, replayed: null });
    }
    expect(keyHeaders(await generate(rig.url, {}, as('shop-new')))).toEqual({
      job: keyHeaders(first).job,
      replayed: 'true',
    });
    expect(rig.received).toBe(1);
  });

  test('a model that was taken from the consumer is not replayed', async () => {
    const rig = await startPaidOnce({ keys: [], callers });
    expect((await generate(rig.url, {}, as('mill-key'))).status).toBe(200);
    const known = { models: rig.app.models.models, aliases: rig.app.models.aliases };
    const limited = { mill: { keys: [{ key: 'mill-key' }], models: ['studio/poster'] } };
    rig.app.keyStore.replace(callersIn(limited, known));
    expect((await generate(rig.url, { model: 'image' }, as('mill-key'))).status).toBe(404);
    expect(rig.received).toBe(1);
  });

  test('without gateway keys all clients are one consumer', async () => {
    const rig = await startPaidOnce({ keys: [] });
    const first = await generate(rig.url, {}, { ...keyed('k'), authorization: '' });
    const again = await generate(rig.url, {}, { ...keyed('k'), authorization: 'Bearer anything' });
    expect(keyHeaders(again)).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
    expect(rig.received).toBe(1);
  });
});

describe('a quota', () => {
  const limited = (limits: object) => ({
    shop: { keys: [{ key: 'shop-key' }], limits: { windowMs: 3_600_000, ...limits } },
  });
  const left = ({ headers }: { headers: Headers }) =>
    ['requests', 'images'].map((what) => headers.get(`x-ratelimit-remaining-${what}`));

  test.each([
    ['generation', generate],
    ['edit', edit],
  ] as const)('is not touched by replays, also when it is used up: %s', async (_, call) => {
    const rig = await startPaidOnce({ keys: [], callers: limited({ requests: 2, images: 4 }) });
    expect(left(await call(rig.url, { n: 2 }, as('shop-key', 'one')))).toEqual(['1', '2']);
    for (let replay = 0; replay < 3; replay += 1) {
      const again = await call(rig.url, { n: 2 }, as('shop-key', 'one'));
      expect([again.status, ...left(again)]).toEqual([200, '1', '2']);
    }
    expect(left(await call(rig.url, { n: 2 }, as('shop-key', 'two')))).toEqual(['0', '0']);
    for (const key of ['one', 'two', 'one']) {
      const again = await call(rig.url, { n: 2 }, as('shop-key', key));
      expect([again.status, keyHeaders(again).replayed, ...left(again)]).toEqual([200, 'true', '0', '0']);
    }
    const { received } = rig;
    const refused = await call(rig.url, { n: 2 }, as('shop-key', 'three'));
    expect([refused.status, refused.json().error.code, keyHeaders(refused).replayed]).toEqual([
      429,
      'rate_limit_exceeded',
      null,
    ]);
    expect(rig.received).toBe(received);
  });

  test('of images that is used up refuses a new key, which is free to try again later', async () => {
    const rig = await startPaidOnce({ keys: [], callers: limited({ images: 1 }) });
    await generate(rig.url, {}, as('shop-key', 'one'));
    expect((await generate(rig.url, {}, as('shop-key', 'two'))).status).toBe(429);
    expect((await generate(rig.url, {}, as('shop-key', 'one'))).status).toBe(200);
    const known = { models: rig.app.models.models, aliases: rig.app.models.aliases };
    rig.app.keyStore.replace(callersIn(limited({ images: 2 }), known));
    const later = await generate(rig.url, {}, as('shop-key', 'two'));
    expect([later.status, keyHeaders(later).replayed]).toEqual([200, null]);
    expect(rig.received).toBe(2);
  });

  test('what is wrong with a request is told before its quota', async () => {
    const rig = await startPaidOnce({ keys: [], callers: limited({ requests: 1 }) });
    expect(left(await generate(rig.url, {}, as('shop-key', 'one')))[0]).toBe('0');
    expect((await generate(rig.url, { prompt: 'a dog' }, as('shop-key', 'one'))).status).toBe(422);
    expect((await generate(rig.url, {}, as('shop-key', ''))).status).toBe(400);
    expect((await generate(rig.url, {}, as('shop-key', 'two'))).status).toBe(429);
  });
});
