import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { asStream } from '../helpers/json-text.ts';
import { type Answer, failed, failing, fakeGateway, good, limited, silent, unreachable } from './fake-targets.ts';

const patience = { timeout: 5_000 };

/** A link, and then a failure that by itself would be repeated. */
const failsAfterOne: Answer = async () =>
  (async function* (): AsyncGenerator<ImageEvent> {
    yield { type: 'url', index: 0, url: 'https://blob.example/1' };
    throw new GatewayError('upstream_generation_failed', 'failed', { outcome: 'failed' });
  })();

describe('what may have been billed is not bought again', () => {
  test('by a failure that comes while the answer is converted', async () => {
    const fake = await fakeGateway([{ answers: [failsAfterOne, good] }]);
    const generation = await fake.start({ delivery: 'b64_json' });
    await expect(generation.events).rejects.toMatchObject({ outcome: 'unknown' });
    expect(fake.calls).toHaveLength(1);
  });

  test('by an equal request after one of several calls has failed, and the others were made', async () => {
    const fake = await fakeGateway([{ answers: [good, failed], maxCount: 1 }], { model: { maxRetries: 0 } });
    await expect((await fake.start({ count: 2 })).events).rejects.toMatchObject({ outcome: 'failed' });
    const retry = await fake.start({ count: 2 }, { isRetry: true });
    await expect(retry.events).rejects.toThrow(GatewayError);
    expect([fake.calls.length, fake.retries]).toEqual([2, ['shared_unknown']]);
  });
});

const streamed: Answer = async () =>
  asStream<ImageEvent>([
    { type: 'image', index: 0, isPartial: false },
    { type: 'bytes', chunk: Buffer.from('iVBORw0KGgo=') },
    { type: 'image-end', index: 0 },
    { type: 'done' },
  ]);

describe('a stream of several calls', () => {
  test('repeats its first one although the others wait for it, one slot or not', async () => {
    const fake = await fakeGateway([
      { answers: [failed, streamed], maxCount: 1, maxConcurrent: 1, family: 'gpt-image-2' },
    ]);
    const generation = await fake.start({ count: 2, stream: true });
    const events = await Array.fromAsync(await generation.events);
    generation.settle('delivered');
    expect(events.filter(({ type }) => type === 'image-end')).toHaveLength(2);
    expect(fake.calls).toHaveLength(3);
  });
});

describe('the breaker', () => {
  const afterFive = async (timeoutMs: number | undefined) => {
    const fake = await fakeGateway([{ answers: [silent] }], { model: { maxRetries: 0, timeoutMs: 40 } });
    for (let call = 0; call < 5; call += 1) {
      const generation = await fake.start({ prompt: `cat ${call}` }, { timeoutMs });
      await expect(generation.events).rejects.toMatchObject({ kind: 'upstream_timeout' });
    }
    return fake.targets[0]?.health.breakerState;
  };

  test('opens when the model’s own deadline passes again and again', async () => {
    expect(await afterFive(undefined)).toBe('open');
  });

  test('does not open for deadlines that callers have shortened', async () => {
    expect(await afterFive(20)).toBe('closed');
  });
});

describe('the budget of retries', () => {
  test('does not stop requests from going to another target with what was not even begun', async () => {
    for (const answer of [limited(30_000), unreachable]) {
      const fake = await fakeGateway([{ answers: [answer] }, { answers: [good], priority: 1 }]);
      const starts = Array.from({ length: 5 }, (_, index) => fake.start({ prompt: `cat ${index}` }));
      const generations = await Promise.all(starts);
      await Promise.all(generations.map(({ events }) => events));
      for (const generation of generations) generation.settle('delivered');
    }
  });

  test('once spent ends a request with its failure, and the target is not asked again', async () => {
    const hold = Promise.withResolvers<void>();
    let calls = 0;
    const answer: Answer = async (call, request) => {
      calls += 1;
      if (calls !== 3) return failing('upstream_generation_failed', 'failed')(call, request);
      await hold.promise;
      return good(call, request);
    };
    const fake = await fakeGateway([{ answers: [answer] }]);
    const first = await fake.start({ prompt: 'one' });
    const second = await fake.start({ prompt: 'two' });
    await expect.poll(() => calls, patience).toBeGreaterThanOrEqual(3);
    const failures = await Promise.race([first.events.catch(String), second.events.catch(String)]);
    expect(String(failures)).toContain('upstream_generation_failed');
    hold.resolve();
    await Promise.allSettled([first.events, second.events]);
    expect(calls).toBe(3);
    first.settle('delivered');
    second.settle('delivered');
  });
});
