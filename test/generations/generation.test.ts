import { describe, expect, test } from 'vitest';
import { type Answer, fakeGateway, good, silent } from './fake-targets.ts';

const soon = { timeout: 10_000 };

/** A generation of three calls, of which each is answered by one of `answers`; without its caller it ends. */
async function start(answers: Answer[], { timeoutMs = 60_000 } = {}) {
  const model = { partialSuccess: 'deliver', maxRetries: 0, timeoutMs } as const;
  const fake = await fakeGateway([{ answers, maxCount: 1 }], { model, times: { lingerMs: 0 } });
  return { ...fake, generation: await fake.start({ count: 3 }) };
}

describe('a generation of several calls that may deliver a part', () => {
  test('whose deadline comes while one call is silent ends with it, not with images that can no longer come', async () => {
    const { generation, ends } = await start([good, silent, good], { timeoutMs: 50 });
    await expect(generation.events).rejects.toMatchObject({ kind: 'upstream_timeout', outcome: 'unknown' });
    expect(ends).toEqual(['abandoned', 'unknown', 'abandoned']);
  });

  test('whose caller leaves ends with that, and counts what may have been billed', async () => {
    const { generation, ends, calls } = await start([good, silent, good]);
    await expect.poll(() => calls.length, soon).toBe(3);
    generation.leave();
    await expect(generation.events).rejects.toMatchObject({ kind: 'client_gone' });
    expect(ends).toEqual(['abandoned', 'abandoned', 'abandoned']);
  });

  test('delivers the calls that succeeded, and is counted once when it is settled twice', async () => {
    const broken = () => Promise.reject(new Error('broken'));
    const { generation, ends } = await start([good, broken, good]);
    const events = await Array.fromAsync(await generation.events);
    expect(events.map(({ type }) => type)).toEqual(['url', 'url', 'done']);
    generation.settle('delivered');
    generation.settle('truncated');
    expect(ends).toEqual(['delivered', 'unknown', 'delivered']);
    expect(generation.report).toMatchObject({ attempts: 3, sent: true, adaptations: ['n=fan-out'] });
  });
});
