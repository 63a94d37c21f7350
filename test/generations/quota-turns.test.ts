import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { Caller } from '../../src/generations/caller.ts';
import { firstGrant } from '../../src/generations/quota-turns.ts';
import { FakeQuota } from './fake-quota.ts';
import {
  type Answer,
  type FakeGateway,
  fakeGateway,
  good,
  held,
  limited,
  quickTimes,
  silent,
  unauthorized,
  unreachable,
} from './fake-targets.ts';

const patience = { timeout: 5_000 };
const times = { ...quickTimes, minLeftMs: 500 };

/** Asks once; gives the number of images, or the failure. */
async function ask(fake: FakeGateway, request?: Partial<ImageRequest>, caller?: Partial<Caller>) {
  try {
    const generation = await fake.start(request, caller);
    const events = await Array.fromAsync(await generation.events);
    generation.settle('delivered');
    return events.filter(({ type }) => type === 'url').length;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

const names = ({ calls }: FakeGateway) => calls.map(({ target }) => target).join('');

describe('a job without a client', () => {
  const never = new AbortController().signal;
  const planOf = async (fake: FakeGateway) =>
    ({
      candidates: fake.targets.map((target) => ({ target, adapted: { legs: [{ count: 3 }] } })),
    }) as unknown as Parameters<typeof firstGrant>[0];

  test('takes the first turn that is free', async () => {
    const [used, free] = [new FakeQuota('used', 0), new FakeQuota('free', 1)];
    const fake = await fakeGateway([
      { answers: [good], quota: used },
      { answers: [good], quota: free },
      { answers: [good], quota: used },
    ]);
    const grant = await firstGrant(await planOf(fake), 'somebody', never);
    expect([grant?.pool, used.waiting]).toEqual([free, 0]);
    expect([used.events, free.events]).toEqual([['ask somebody 3', 'left the queue'], ['ask somebody 3']]);
  });

  test('waits for the shortest, however long that takes', async () => {
    const quotas = [new FakeQuota('long', 0, 1e9), new FakeQuota('short', 0, 1e8), new FakeQuota('longer', 0, 1e10)];
    const fake = await fakeGateway(quotas.map((quota) => ({ answers: [good], quota })));
    const waiting = firstGrant(await planOf(fake), 'somebody', never);
    await expect.poll(() => quotas.map((quota) => quota.waiting), patience).toEqual([1, 1, 1]);
    quotas[1]?.grantNext();
    expect((await waiting)?.pool).toBe(quotas[1]);
    expect(quotas.map((quota) => quota.waiting)).toEqual([0, 0, 0]);
  });

  test('needs no turn where a target has no quota, and leaves when it is canceled', async () => {
    const quota = new FakeQuota('q', 0);
    const fake = await fakeGateway([{ answers: [good], quota }, { answers: [good] }]);
    expect(await firstGrant(await planOf(fake), 'somebody', never)).toBeUndefined();
    const cancel = new AbortController();
    const alone = await fakeGateway([{ answers: [good], quota }]);
    const waiting = firstGrant(await planOf(alone), 'somebody', cancel.signal);
    await expect.poll(() => quota.waiting, patience).toBe(1);
    cancel.abort(new Error('canceled'));
    await expect(waiting).rejects.toThrow('canceled');
    expect(quota.waiting).toBe(0);
  });
});

describe('a target with a quota', () => {
  test('is called when it is the request’s turn, which it takes for its consumer and its images', async () => {
    const quota = new FakeQuota('q', 1);
    const fake = await fakeGateway([{ answers: [good], quota }], { times });
    expect(await ask(fake, { count: 2 })).toBe(2);
    expect(quota.events).toEqual(['ask somebody 2', 'sent']);
  });

  test('is called once its turn has come', async () => {
    const quota = new FakeQuota('q', 0);
    const fake = await fakeGateway([{ answers: [good], quota }], { times });
    const asked = ask(fake);
    await expect.poll(() => quota.waiting, patience).toBe(1);
    expect(names(fake)).toBe('');
    quota.grantNext();
    expect(await asked).toBe(1);
    expect(quota.events).toEqual(['ask somebody 1', 'sent']);
  });

  test.each([
    ['a call that was not sent', unreachable, ['sent', 'given back']],
    ['a 429', limited(70), ['sent', 'refused 70']],
    ['a 429 without a hint', limited(), ['sent', 'refused undefined']],
  ])('hears of %s', async (_, answer, events) => {
    const quota = new FakeQuota('q', 1);
    const fake = await fakeGateway([{ answers: [answer], quota }], { times, model: { maxRetries: 0 } });
    expect(await ask(fake)).toMatchObject({ outcome: 'not-processed' });
    expect(quota.events).toEqual(['ask somebody 1', ...events]);
    // That is no wait of the target's.
    expect(fake.targets[0]?.health.coolDownAt(performance.now())).toBeUndefined();
  });

  test('hears what responses say is left', async () => {
    const quota = new FakeQuota('q', 1);
    const answer: Answer = async (call, request) => {
      call.attempt.quota = { remaining: 3 };
      return good(call, request);
    };
    const fake = await fakeGateway([{ answers: [answer], quota }], { times });
    await ask(fake);
    expect(quota.events).toEqual(['ask somebody 1', 'sent', 'left 3']);
  });

  test('takes a turn for each call: retries, and the legs of a request', async () => {
    const quota = new FakeQuota('q', 5);
    const fake = await fakeGateway([{ answers: [limited(1), good], quota, maxCount: 1 }], { times });
    expect(await ask(fake, { count: 2 })).toBe(2);
    expect(quota.events.filter((event) => event === 'sent')).toHaveLength(3);
    expect(quota.turns).toBe(2);
  });

  test.each(['ask', 'stamp'] as const)('is not called when the store is away (%s)', async (step) => {
    const quota = new FakeQuota('q', 1);
    quota.fails = step;
    const fake = await fakeGateway([{ answers: [good], quota }, { answers: [good] }], { times });
    expect(await ask(fake)).toMatchObject({ kind: 'store_unavailable', outcome: 'not-processed' });
    expect(names(fake)).toBe('');
  });

  test('that is used up: another one that is free is called', async () => {
    const quota = new FakeQuota('q', 0);
    const fake = await fakeGateway(
      [
        { answers: [good], quota },
        { answers: [good], priority: 5 },
      ],
      { times },
    );
    expect(await ask(fake)).toBe(1);
    expect(names(fake)).toBe('b');
    expect(quota.waiting).toBe(0);
  });

  test('that is used up: one without a free permit is no reason not to wait', async () => {
    const quota = new FakeQuota('q', 0);
    const fake = await fakeGateway(
      [
        { answers: [good], quota },
        { answers: [silent], maxConcurrent: 1 },
      ],
      { times },
    );
    const other = ask(fake, { prompt: 'another' });
    await expect.poll(() => names(fake), patience).toBe('b');
    const asked = ask(fake);
    await expect.poll(() => quota.waiting, patience).toBe(1);
    quota.grantNext();
    expect(await asked).toBe(1);
    expect(names(fake)).toBe('ba');
    fake.gateway.cancelAll();
    await other;
  });

  test('of several that are used up, the request waits for the shortest, and leaves the others', async () => {
    const [long, short] = [new FakeQuota('long', 0, 3_000), new FakeQuota('short', 0, 1_000)];
    const fake = await fakeGateway(
      [
        { answers: [good], quota: long },
        { answers: [good], quota: short },
      ],
      { times },
    );
    const asked = ask(fake);
    await expect.poll(() => [short.waiting, long.waiting], patience).toEqual([1, 1]);
    short.grantNext();
    expect(await asked).toBe(1);
    expect([names(fake), long.waiting]).toEqual(['b', 0]);
  });

  test.each([
    ['all are used up', 3_000, 1_500, 1_500],
    ['and the first one is shorter', 1_200, 4_000, 1_200],
  ])('without time to wait the request is told the shortest wait: %s', async (_, one, other, told) => {
    const quotas = [new FakeQuota('one', 0, one), new FakeQuota('other', 0, other)];
    const fake = await fakeGateway(
      quotas.map((quota) => ({ answers: [good], quota })),
      { times, model: { timeoutMs: 1_000 } },
    );
    expect(await ask(fake)).toMatchObject({
      kind: 'upstream_rate_limited',
      retryAfterMs: told,
      outcome: 'not-processed',
    });
    expect(names(fake)).toBe('');
    expect(quotas.map(({ waiting }) => waiting)).toEqual([0, 0]);
  });

  test('without time to wait a target is used whose permit will take a while', async () => {
    const quota = new FakeQuota('q', 0, 60_000);
    const { answer, complete } = held(good);
    const fake = await fakeGateway(
      [
        { answers: [good], quota },
        { answers: [answer, good], maxConcurrent: 1 },
      ],
      { times },
    );
    const first = ask(fake, { prompt: 'another' });
    await expect.poll(() => names(fake), patience).toBe('b');
    const second = ask(fake);
    await expect.poll(() => fake.targets[1]?.health.permits.waiting, patience).toBe(1);
    complete();
    expect([await first, await second]).toEqual([1, 1]);
    expect(names(fake)).toBe('bb');
  });

  test('a call that waits for a permit takes its turn after that', async () => {
    const quota = new FakeQuota('q', 2);
    const { answer, complete } = held(good);
    const fake = await fakeGateway([{ answers: [answer, good], quota, maxConcurrent: 1 }], { times });
    const first = ask(fake);
    await expect.poll(() => names(fake), patience).toBe('a');
    const second = ask(fake, { prompt: 'another' });
    await expect.poll(() => fake.targets[0]?.health.permits.waiting, patience).toBe(1);
    expect(quota.turns).toBe(1);
    complete();
    expect([await first, await second]).toEqual([1, 1]);
    expect(quota.events).toEqual(['ask somebody 1', 'sent', 'ask somebody 1', 'sent']);
  });

  test('a call that has its permit, and no time for its turn, gives the permit back', async () => {
    const quota = new FakeQuota('q', 1, 60_000);
    const { answer, complete } = held(good);
    const fake = await fakeGateway([{ answers: [answer, good], quota, maxConcurrent: 1 }], { times });
    const first = ask(fake);
    await expect.poll(() => names(fake), patience).toBe('a');
    const second = ask(fake, { prompt: 'another' });
    await expect.poll(() => fake.targets[0]?.health.permits.waiting, patience).toBe(1);
    complete();
    expect(await first).toBe(1);
    expect(await second).toMatchObject({ kind: 'upstream_rate_limited', retryAfterMs: 60_000 });
    expect([fake.targets[0]?.health.permits.taken, quota.waiting, names(fake)]).toEqual([0, 0, 'a']);
  });

  test('whose breaker has opened meanwhile: its turn is given back', async () => {
    const quota = new FakeQuota('q', 0, 100);
    const other = new FakeQuota('other', 0, 5_000);
    const fake = await fakeGateway(
      [
        { answers: [unauthorized], quota },
        { answers: [good], quota: other },
      ],
      { times },
    );
    const asked = ask(fake);
    await expect.poll(() => quota.waiting, patience).toBe(1);
    fake.targets[0]?.health.adopt({ what: 'breaker', until: performance.now() + 60_000 });
    other.turns = 1;
    quota.grantNext();
    expect(await asked).toBe(1);
    expect(names(fake)).toBe('b');
    expect(quota.events).toContain('given back');
  });

  test('a client that disconnects leaves the queue', async () => {
    const quota = new FakeQuota('q', 0);
    const fake = await fakeGateway([{ answers: [good], quota }], { times });
    const generation = await fake.start();
    generation.events.catch(() => {});
    await expect.poll(() => quota.waiting, patience).toBe(1);
    generation.leave();
    await expect.poll(() => quota.waiting, patience).toBe(0);
    expect(quota.events).toEqual(['ask somebody 1', 'left the queue']);
  });
});
