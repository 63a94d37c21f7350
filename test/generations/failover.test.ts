import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { TargetHealth } from '../../src/targets/target-health.ts';
import { editInputs, imageInput, inputs } from '../helpers/image-input.ts';
import { asStream } from '../helpers/json-text.ts';
import {
  type Answer,
  drawn,
  type FakeGateway,
  failed,
  failing,
  fakeGateway,
  good,
  limited,
  odd,
  refused,
  silent,
  tokenRefused,
  unauthorized,
  unknown,
  unreachable,
  wordsOnly,
} from './fake-targets.ts';

const patience = { timeout: 5_000 };

/** Asks once, reads all and settles; gives the number of images, or the failure. */
async function ask(fake: FakeGateway, request?: Partial<ImageRequest>): Promise<number | GatewayError> {
  const generation = await fake.start(request);
  try {
    const events = await Array.fromAsync(await generation.events);
    generation.settle('delivered');
    return events.filter(({ type }) => type === 'url').length;
  } catch (error) {
    return error as GatewayError;
  }
}

const names = ({ calls }: FakeGateway) => calls.map(({ target }) => target).join('');

function expectAllFree({ gateway, targets }: FakeGateway): void {
  expect(gateway.inFlight).toBe(0);
  expect(gateway.admission.waiting).toBe(0);
  for (const { health } of targets) expect([health.permits.taken, health.permits.waiting]).toEqual([0, 0]);
}

describe('one target', () => {
  test.each([
    ['unreachable', unreachable],
    ['failing', failed],
    ['limited without a hint', limited()],
  ])('%s is asked as often as the model allows', async (_, answer) => {
    for (const maxRetries of [0, 1, 2, 5]) {
      const fake = await fakeGateway([{ answers: [answer] }], { model: { maxRetries } });
      expect(await ask(fake)).toMatchObject({ name: 'GatewayError' });
      expect(names(fake)).toBe('a'.repeat(maxRetries + 1));
      expectAllFree(fake);
    }
  });

  test('that does it the third time has done it, and each call is told as it ended', async () => {
    const fake = await fakeGateway([{ answers: [failed, unreachable, good] }]);
    const generation = await fake.start();
    await Array.fromAsync(await generation.events);
    generation.settle('delivered');
    expect(fake.ends).toEqual(['failed', 'not-processed', 'delivered']);
    expect(generation.report).toMatchObject({ attempts: 3, sent: true, target: 'a' });
  });

  test.each([
    ['refuses the content', refused],
    ['leaves open what it did', unknown],
    ['is of no use', unauthorized],
  ])('that %s is asked once', async (_, answer) => {
    const fake = await fakeGateway([{ answers: [answer, good] }]);
    expect(await ask(fake)).toMatchObject({ name: 'GatewayError' });
    expect(names(fake)).toBe('a');
    expectAllFree(fake);
  });

  test('that is odd is asked once more, and not again', async () => {
    expect(await ask(await fakeGateway([{ answers: [odd, good] }]))).toBe(1);
    const fake = await fakeGateway([{ answers: [odd] }]);
    expect(await ask(fake)).toMatchObject({ kind: 'upstream_transient' });
    expect(names(fake)).toBe('aa');
  });

  test('that refuses the token is asked once more at once, with the next one, as one of the retries', async () => {
    const fake = await fakeGateway([{ answers: [tokenRefused, good] }], {
      times: { backoffMs: 2_000, maxBackoffMs: 2_000 },
    });
    expect(await ask(fake)).toBe(1);
    const [first = 0, second = 0] = fake.calls.map(({ at }) => at);
    expect(second - first).toBeLessThan(1_000);
    expect([names(fake), fake.ends]).toEqual(['aa', ['not-processed', 'delivered']]);
    const never = await fakeGateway([{ answers: [tokenRefused, good] }], { model: { maxRetries: 0 } });
    expect(await ask(never)).toMatchObject({ kind: 'upstream_token_refused' });
    expect(names(never)).toBe('a');
    const spent = await fakeGateway([{ answers: [failed, tokenRefused, good] }], { model: { maxRetries: 1 } });
    expect(await ask(spent)).toMatchObject({ kind: 'upstream_token_refused' });
    expect(names(spent)).toBe('aa');
    for (const one of [fake, never, spent]) expectAllFree(one);
  });

  test('that refuses the token again and again is given up, and its breaker stays closed', async () => {
    const fake = await fakeGateway([{ answers: [tokenRefused] }], { model: { maxRetries: 5 } });
    for (let request = 0; request < 10; request += 1) {
      expect(await ask(fake, { prompt: String(request) })).toMatchObject({ kind: 'upstream_token_refused' });
    }
    expect([names(fake), fake.targets[0]?.health.breakerState]).toEqual(['a'.repeat(20), 'closed']);
    expectAllFree(fake);
  });

  test('that refuses the new token, too, is of no use', async () => {
    const fake = await fakeGateway([{ answers: [tokenRefused, unauthorized] }], { model: { maxRetries: 5 } });
    expect(await ask(fake)).toMatchObject({ kind: 'upstream_auth_failed' });
    expect([names(fake), fake.targets[0]?.health.breakerState]).toEqual(['aa', 'open']);
  });

  test('that answers with words is asked once for each request, and its breaker stays closed', async () => {
    const fake = await fakeGateway([{ answers: [wordsOnly] }], { model: { maxRetries: 5, onUnknownOutcome: 'retry' } });
    for (let request = 0; request < 10; request += 1) {
      expect(await ask(fake, { prompt: String(request) })).toMatchObject({
        kind: 'upstream_no_image',
        outcome: 'failed',
      });
    }
    expect([names(fake), fake.targets[0]?.health.breakerState]).toEqual(['a'.repeat(10), 'closed']);
    expect(fake.ends).toEqual(Array(10).fill('failed'));
    expectAllFree(fake);
  });

  test('is not asked earlier than it told, by nobody', async () => {
    const fake = await fakeGateway([{ answers: [limited(80), good] }]);
    const first = ask(fake);
    const second = ask(fake);
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    const third = await ask(fake);
    expect(third).toBe(1);
    const [limit, ...others] = fake.calls.map(({ at }) => at) as [number, ...number[]];
    // The second one was under way already.
    expect(others.slice(1).every((at) => at - limit >= 79)).toBe(true);
  });

  test.each([
    ['longer than is waited for', { maxWaitMs: 1_000 }],
    ['too long for the deadline', { minLeftMs: 9_000 }],
  ])('that tells a wait %s: the caller is told it, and so are others, without a call', async (_, times) => {
    const fake = await fakeGateway([{ answers: [limited(5_000), good] }], { times });
    expect(await ask(fake)).toMatchObject({ kind: 'upstream_rate_limited', retryAfterMs: expect.closeTo(5_000, -3) });
    expect(await ask(fake)).toMatchObject({ kind: 'upstream_rate_limited', retryAfterMs: expect.closeTo(5_000, -3) });
    expect(names(fake)).toBe('a');
  });

  test('that leaves open what it did is asked once more where the operator wants that', async () => {
    const model = { onUnknownOutcome: 'retry', maxRetries: 5 } as const;
    expect(await ask(await fakeGateway([{ answers: [unknown, good] }], { model }))).toBe(1);
    const fake = await fakeGateway([{ answers: [unknown] }, { answers: [unknown] }], { model });
    expect(await ask(fake)).toMatchObject({ outcome: 'unknown' });
    expect(fake.calls).toHaveLength(2);
    const never = await fakeGateway([{ answers: [unknown] }], { model: { ...model, maxRetries: 0 } });
    await ask(never);
    expect(never.calls).toHaveLength(1);
  });
});

describe('several targets', () => {
  test.each([
    ['unreachable', unreachable, 'ab'],
    ['failing', failed, 'ab'],
    ['limited', limited(5_000), 'ab'],
    ['of no use', unauthorized, 'ab'],
    ['refusing the content', refused, 'a'],
    ['unknown', unknown, 'a'],
    ['answering with words', wordsOnly, 'a'],
  ])('with the first one %s are asked: %3$s', async (_, answer, order) => {
    const fake = await fakeGateway([{ answers: [answer] }, { answers: [good] }]);
    await ask(fake);
    expect(names(fake)).toBe(order);
    expectAllFree(fake);
  });

  test('are asked in turn, and the first one again when none is left', async () => {
    const fake = await fakeGateway([{ answers: [failed, good] }, { answers: [unreachable] }, { answers: [failed] }], {
      model: { maxRetries: 5 },
    });
    expect(await ask(fake)).toBe(1);
    expect(names(fake)).toBe('abca');
  });

  test('of no use are not asked again, by this request or the next ones, until they may be tried', async () => {
    const fake = await fakeGateway([{ answers: [unauthorized, good] }, { answers: [failed, good] }], {
      model: { maxRetries: 5 },
    });
    expect(await ask(fake)).toBe(1);
    expect(await ask(fake)).toBe(1);
    expect(names(fake)).toBe('abbb');
    await wait(150);
    expect(await ask(fake)).toBe(1);
    expect(names(fake)).toBe('abbba');
  });

  test('of no use are tried later by one request at a time', async () => {
    const fake = await fakeGateway([{ answers: [unauthorized, silent] }, { answers: [good] }]);
    await ask(fake);
    await wait(150);
    const trying = await fake.start({ prompt: 'first' });
    const others = await Promise.all(['second', 'third'].map((prompt) => ask(fake, { prompt })));
    expect([names(fake), others]).toEqual(['ababb', [1, 1]]);
    trying.cancel('shutdown');
    await trying.events.catch(() => {});
  });

  test.each([
    ['leaves in the queue', { maxConcurrent: 1 }, 1],
    ['is split', { maxCount: 1 }, 2],
  ])('of no use are tried by the next request when the one that should %s', async (_, facts, count) => {
    const fake = await fakeGateway([{ answers: [unauthorized, good], ...facts }, { answers: [good] }], {
      times: { queueMs: 10 },
    });
    const [first] = fake.targets;
    await ask(fake);
    await wait(150);
    const release = await first?.health.permits.acquire(new AbortController().signal);
    const leaving = await fake.start({ prompt: 'leaving', count });
    await wait(5);
    leaving.leave();
    await leaving.events.catch(() => {});
    release?.();
    expect(first?.health.breakerState).not.toBe('half-open');
    await ask(fake, { prompt: 'next' });
    expect(fake.calls.at(-1)?.target).toBe('a');
  });

  test('an odd one is asked once more itself, and then nobody', async () => {
    const fake = await fakeGateway([{ answers: [odd] }, { answers: [good] }], { model: { maxRetries: 5 } });
    expect(await ask(fake)).toMatchObject({ kind: 'upstream_transient' });
    expect(names(fake)).toBe('aa');
  });

  test('one that refuses the old token is asked with the new one, before others are', async () => {
    const fake = await fakeGateway([{ answers: [tokenRefused, good] }, { answers: [good] }]);
    expect(await ask(fake)).toBe(1);
    expect(names(fake)).toBe('aa');
  });

  test('one that refuses the new token, too, leaves the request to the next one, within the retries', async () => {
    const fakes = [{ answers: [tokenRefused, unauthorized] }, { answers: [good] }];
    const fake = await fakeGateway(fakes);
    expect(await ask(fake)).toBe(1);
    expect(names(fake)).toBe('aab');
    const spent = await fakeGateway(fakes, { model: { maxRetries: 1 } });
    expect(await ask(spent)).toMatchObject({ kind: 'upstream_auth_failed' });
    expect(names(spent)).toBe('aa');
    for (const one of [fake, spent]) expectAllFree(one);
  });

  test('the report is that of the target that has served', async () => {
    const fake = await fakeGateway([
      { answers: [failed], family: 'gpt-image-1' },
      { answers: [good], family: 'dall-e-3', maxCount: 1 },
    ]);
    const generation = await fake.start({ quality: 'high' });
    await generation.events;
    expect(generation.report).toMatchObject({ target: 'b', attempts: 2, adaptations: ['quality=high>hd'] });
    generation.settle('delivered');
  });

  test('a call of four images goes on as four calls at a target that makes one at a time', async () => {
    for (const answer of [failed, unreachable, limited(5_000), unauthorized]) {
      const fake = await fakeGateway([{ answers: [answer] }, { answers: [good], maxCount: 1 }], {
        model: { maxRetries: 1 },
      });
      const generation = await fake.start({ count: 4 });
      const events = await Array.fromAsync(await generation.events);
      generation.settle('delivered');
      expect(events.map(({ type }) => type)).toEqual(['url', 'url', 'url', 'url', 'done']);
      expect(fake.calls.map(({ target, count }) => `${target}${count}`)).toEqual(['a4', 'b1', 'b1', 'b1', 'b1']);
      expect(generation.report.adaptations).toEqual(['n=fan-out']);
      expectAllFree(fake);
    }
  });

  test('each call tells what the gateway did for it, also where another one needed nothing', async () => {
    let rolls = 0;
    const fake = await fakeGateway(
      [
        { answers: [good], priority: 0, maxCount: 1, family: 'gpt-image-2' },
        { answers: [good], priority: 0, maxCount: 1, family: 'dall-e-3' },
      ],
      { random: () => (rolls++ % 2 === 0 ? 0 : 0.9) },
    );
    const generation = await fake.start({ count: 2, style: 'vivid', delivery: undefined });
    await Array.fromAsync(await generation.events);
    expect(new Set(fake.calls.map(({ target }) => target))).toEqual(new Set(['a', 'b']));
    expect(generation.report.adaptations).toEqual(expect.arrayContaining(['n=fan-out', 'style=removed']));
    generation.settle('delivered');
  });

  test('several calls that go on at a target which could do it in one stay several calls', async () => {
    const fake = await fakeGateway([{ answers: [good, failed, good], maxCount: 1 }, { answers: [good] }]);
    const generation = await fake.start({ count: 3 });
    await generation.events;
    generation.settle('delivered');
    expect(fake.calls.map(({ target, count }) => `${target}${count}`)).toEqual(['a1', 'a1', 'a1', 'b1']);
    expect(generation.report.adaptations).toEqual(['n=fan-out']);
  });

  test('a request that could have been split, and was not, does not say so', async () => {
    const fake = await fakeGateway(
      [
        { answers: [good], priority: 0 },
        { answers: [good], priority: 0, maxCount: 1 },
      ],
      { random: () => 0 },
    );
    const generation = await fake.start({ count: 2 });
    await generation.events;
    generation.settle('delivered');
    expect([names(fake), generation.report.adaptations]).toEqual(['a', []]);
  });
});

describe('a request of several calls', () => {
  const single = { maxCount: 1 };

  test('repeats those that failed only', async () => {
    const fake = await fakeGateway([{ answers: [good, failed, good], ...single }]);
    expect(await ask(fake, { count: 3 })).toBe(3);
    expect(fake.calls).toHaveLength(4);
    expect(fake.ends).toEqual(['delivered', 'failed', 'delivered', 'delivered']);
    expectAllFree(fake);
  });

  test('of which one is answered with words is answered so, and that one is not repeated', async () => {
    const fake = await fakeGateway([{ answers: [good, wordsOnly, good], ...single }, { answers: [good] }]);
    expect(await ask(fake, { count: 3 })).toMatchObject({ kind: 'upstream_no_image' });
    expect(names(fake)).toBe('aaa');
    const part = await fakeGateway([{ answers: [good, wordsOnly, good], ...single }], {
      model: { partialSuccess: 'deliver' },
    });
    expect(await ask(part, { count: 3 })).toBe(2);
    expect(part.calls).toHaveLength(3);
    for (const one of [fake, part]) expectAllFree(one);
  });

  test('of which all show an old token shows the new one, within the retries', async () => {
    const fake = await fakeGateway([{ answers: [tokenRefused, tokenRefused, good], ...single }]);
    expect(await ask(fake, { count: 2 })).toBe(2);
    expect(fake.calls).toHaveLength(4);
    expectAllFree(fake);
  });

  test('shares its retries among them', async () => {
    const fake = await fakeGateway([{ answers: [failed, failed, failed, good], ...single }]);
    expect(await ask(fake, { count: 3 })).toMatchObject({ kind: 'upstream_generation_failed' });
    expect(fake.calls.length).toBeLessThanOrEqual(5);
    const enough = await fakeGateway([{ answers: [failed, failed, failed, good], ...single }], {
      model: { maxRetries: 3 },
    });
    expect(await ask(enough, { count: 3 })).toBe(3);
    expect(enough.calls).toHaveLength(6);
    expectAllFree(enough);
  });

  test('goes through one slot one by one', async () => {
    const fake = await fakeGateway([{ answers: [good], ...single, maxConcurrent: 1 }]);
    expect(await ask(fake, { count: 3 })).toBe(3);
    expect(fake.calls).toHaveLength(3);
    expectAllFree(fake);
  });

  test('reports no negative time when its calls have waited for one another', async () => {
    const slow: Answer = async (call, request) => {
      await wait(20);
      return good(call, request);
    };
    const fake = await fakeGateway([{ answers: [slow], ...single, maxConcurrent: 1 }]);
    const generation = await fake.start({ count: 4 });
    await generation.events;
    generation.settle('delivered');
    expect(generation.report.upstreamMs).toBeGreaterThanOrEqual(0);
  });
});

describe('the budget of the process', () => {
  test('lets one request repeat at a time, and is there for the next one', async () => {
    const gate = Promise.withResolvers<void>();
    const slow: Answer = async (call, request) => {
      await gate.promise;
      return good(call, request);
    };
    const fake = await fakeGateway([{ answers: [failed, slow, failed, failed, good] }]);
    const first = ask(fake);
    await expect.poll(() => fake.calls.length, patience).toBe(2);
    expect(await ask(fake)).toMatchObject({ kind: 'upstream_generation_failed' });
    expect(fake.calls).toHaveLength(3);
    gate.resolve();
    expect(await first).toBe(1);
    expect(await ask(fake)).toBe(1);
    expectAllFree(fake);
  });
});

describe('a full target', () => {
  test('does not make others wait for it: our own queue says nothing about it', async () => {
    const fake = await fakeGateway([{ answers: [silent, good], maxConcurrent: 1 }], { times: { queueMs: 30 } });
    const first = await fake.start();
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    const waiting = await Promise.all([1, 2, 3].map(() => ask(fake)));
    expect(waiting.map((error) => (error as GatewayError).kind)).toEqual(Array(3).fill('overloaded'));
    expect(fake.targets[0]?.health.coolDownAt(performance.now())).toBeUndefined();
    first.cancel('shutdown');
    await expect(first.events).rejects.toMatchObject({ outcome: 'unknown' });
    expect(await ask(fake, { prompt: 'another cat' })).toBe(1);
    expectAllFree(fake);
  });

  test('is passed over for another one', async () => {
    const fake = await fakeGateway([{ answers: [silent], maxConcurrent: 1 }, { answers: [good] }]);
    const first = await fake.start();
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    expect(await ask(fake)).toBe(1);
    expect(names(fake)).toBe('ab');
    first.cancel('shutdown');
    await first.events.catch(() => {});
  });
});

/** An edit whose inputs must have been released once when the test is over. */
function edit(): Partial<ImageRequest> {
  let released = 0;
  onTestFinished(() => expect(released).toBe(1));
  const release = async () => {
    released += 1;
  };
  return { edit: editInputs([imageInput(Buffer.from('an image'))], { inputs: { ...inputs, release } }) };
}

describe('the end of a generation', () => {
  test.each([
    ['in the queue', [silent], { inFlight: 1 }, 'deadline_exceeded', 0],
    ['in the backoff', [unreachable], { times: { backoffMs: 5_000, maxBackoffMs: 5_000 } }, 'upstream_unavailable', 1],
    ['in the wait for a target', [limited(60)], { model: { maxRetries: 20 } }, 'upstream_rate_limited', 1],
    ['in a call', [silent], {}, 'upstream_timeout', 1],
  ] as const)('by its deadline %s', async (_, answers, facts, kind, calls) => {
    const fake = await fakeGateway([{ answers }], facts);
    const blocker = 'inFlight' in facts ? await fake.start({ prompt: 'first' }) : undefined;
    await new Promise(setImmediate);
    const before = fake.calls.length;
    const begin = performance.now();
    const generation = await fake.start(edit(), { timeoutMs: 100 });
    await expect(generation.events).rejects.toMatchObject({ kind });
    expect(performance.now() - begin).toBeLessThan(1_100);
    expect(fake.calls.length - before).toBeGreaterThanOrEqual(calls);
    blocker?.cancel('shutdown');
    await blocker?.events.catch(() => {});
    expectAllFree(fake);
  });

  test.each([
    ['while it is queued', [silent], { inFlight: 1 }, 0],
    ['while it waits before a retry', [unreachable], { times: { backoffMs: 5_000, maxBackoffMs: 5_000 } }, 1],
    [
      'while it is connecting',
      [
        ((call, request) => {
          call.attempt.sent = false;
          return silent(call, request);
        }) as Answer,
      ],
      {},
      1,
    ],
  ] as const)('by a caller that leaves %s comes at once', async (_, answers, facts, calls) => {
    const fake = await fakeGateway([{ answers }], facts);
    const blocker = 'inFlight' in facts ? await fake.start({ prompt: 'first' }) : undefined;
    await new Promise(setImmediate);
    const before = fake.calls.length;
    const generation = await fake.start(edit());
    await wait(20);
    generation.leave();
    await expect(generation.events).rejects.toMatchObject({ kind: 'client_gone' });
    expect(fake.calls.length - before).toBe(calls);
    expect(fake.gateway.orphans).toBe(0);
    blocker?.cancel('shutdown');
    await blocker?.events.catch(() => {});
    expectAllFree(fake);
    expect(fake.ends.slice(0, calls)).toEqual(Array(calls).fill('not-processed'));
  });

  test('by success releases the inputs once, however often it is settled', async () => {
    const fake = await fakeGateway([{ answers: [failed, good] }]);
    const generation = await fake.start(edit());
    await Array.fromAsync(await generation.events);
    generation.settle('delivered');
    generation.settle('truncated');
    generation.leave();
    expectAllFree(fake);
  });

  test('of a stream that nobody has read releases everything', async () => {
    const streamed: Answer = async () =>
      asStream<ImageEvent>([
        { type: 'image', index: 0, isPartial: false },
        { type: 'bytes', chunk: Buffer.from('iVBORw0KGgo=') },
        { type: 'image-end', index: 0 },
        { type: 'done' },
      ]);
    const fake = await fakeGateway([{ answers: [streamed] }]);
    const generation = await fake.start({ stream: true });
    await generation.events;
    expect(fake.targets.map(({ health }) => health.permits.taken)).toEqual([1]);
    generation.settle('abandoned');
    expectAllFree(fake);
  });

  test.each([
    ['a refusal', [refused]],
    ['an unknown outcome', [unknown]],
    ['spent retries', [failed]],
    ['a mistake of ours', [() => Promise.reject(new TypeError('ours'))]],
    ['a storage that failed', [failing('storage_failed', 'failed')]],
  ])('by %s releases everything', async (_, answers) => {
    const fake = await fakeGateway([{ answers }]);
    await expect((await fake.start(edit())).events).rejects.toThrow();
    expectAllFree(fake);
  });

  test('of several that leave in one moment gives no turn to those that have gone', async () => {
    const fake = await fakeGateway([{ answers: [unreachable] }], {
      inFlight: 1,
      times: { backoffMs: 5_000, maxBackoffMs: 5_000 },
    });
    const generations = await Promise.all([fake.start(edit()), fake.start(edit()), fake.start(edit())]);
    await wait(20);
    for (const generation of generations) generation.leave();
    await Promise.allSettled(generations.map(({ events }) => events));
    expectAllFree(fake);
    const next = fakeTurn(fake);
    await expect(next).resolves.toBeUndefined();
  });
});

/** Resolves when somebody new gets their turn. */
async function fakeTurn({ gateway }: FakeGateway): Promise<void> {
  const release = await gateway.admission.acquire(AbortSignal.timeout(1_000));
  release();
}

describe('a generation that has lost its caller', () => {
  test('lingers, and is given up once when nobody takes it', async () => {
    const fake = await fakeGateway([{ answers: [silent] }]);
    const generation = await fake.start(edit());
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    generation.leave();
    expect(fake.gateway.orphans).toBe(1);
    await expect(generation.events).rejects.toMatchObject({ kind: 'client_gone' });
    await expect.poll(() => fake.gateway.inFlight, patience).toBe(0);
    expect([fake.ends, fake.gateway.orphans]).toEqual([['abandoned'], 0]);
    expectAllFree(fake);
  });

  test.each(['before its images have come', 'after its images have come'])(
    'is taken over %s, with its report, and its first caller has no part in it',
    async (when) => {
      const gate = Promise.withResolvers<void>();
      const slow: Answer = async (call, request) => {
        await gate.promise;
        return drawn(call, request);
      };
      const fake = await fakeGateway([{ answers: [slow] }], { times: { lingerMs: 10_000 } });
      const first = await fake.start(edit());
      await expect.poll(() => fake.calls.length, patience).toBe(1);
      first.leave();
      if (when.startsWith('after')) {
        gate.resolve();
        await expect.poll(() => fake.gateway.inFlight, patience).toBe(0);
      }
      const second = await fake.start(edit(), { isRetry: true });
      gate.resolve();
      first.settle('abandoned');
      first.leave();
      await expect(first.events).rejects.toMatchObject({ kind: 'client_gone' });
      const events = await Array.fromAsync(await second.events);
      expect(events.filter(({ type }) => type === 'image-end')).toHaveLength(1);
      second.settle('delivered');
      expect([fake.ends, fake.retries, second.report.attempts]).toEqual([['delivered'], ['rejoined'], 1]);
      expectAllFree(fake);
    },
  );

  test('whose deadline comes before its images is told as unknown to everybody who asks again', async () => {
    const fake = await fakeGateway([{ answers: [silent, good] }], { times: { lingerMs: 10_000 } });
    const first = await fake.start(edit(), { timeoutMs: 150 });
    await expect.poll(() => fake.calls.length, patience).toBe(1);
    first.leave();
    await expect.poll(() => fake.gateway.inFlight, patience).toBe(0);
    for (let time = 0; time < 2; time += 1) {
      const again = await fake.start(edit());
      await expect(again.events).rejects.toMatchObject({ kind: 'upstream_timeout', outcome: 'unknown' });
    }
    expect([fake.ends, fake.retries]).toEqual([['unknown'], ['shared_unknown', 'shared_unknown']]);
    expect(fake.calls).toHaveLength(1);
  });
});

test('a cool-down that ends between the choice and the wait is not waited for', async () => {
  const warned = vi.spyOn(process, 'emitWarning');
  onTestFinished(() => warned.mockRestore());
  const fake = await fakeGateway([{ answers: [good] }]);
  const error = new GatewayError('upstream_rate_limited', 'limited', { outcome: 'not-processed' });
  const over = { until: performance.now(), askedUntil: performance.now(), error };
  vi.spyOn(fake.targets[0]?.health as TargetHealth, 'coolDownAt')
    .mockReturnValueOnce(over)
    .mockReturnValueOnce(over);
  expect(await ask(fake)).toBe(1);
  expect(warned).not.toHaveBeenCalled();
});
