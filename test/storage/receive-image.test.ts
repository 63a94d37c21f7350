import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createArrivalPermits } from '../../src/storage/receive-image.ts';

const { signal } = new AbortController();
const never = () => new Promise<never>(() => {});

test('arrival permits let so many tasks run at once, and all of them in the end, failures included', async () => {
  const withPermit = createArrivalPermits(3, 60_000);
  let running = 0;
  let max = 0;
  const task = (index: number) => async () => {
    max = Math.max(max, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (index % 2 === 0) throw new Error(String(index));
    return index;
  };
  const results = await Promise.allSettled([...Array(10).keys()].map((index) => withPermit(task(index), signal)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  expect(max).toBe(3);
});

test('a task whose signal is aborted while it waits is given up, and the next one gets the permit', async () => {
  const withPermit = createArrivalPermits(1, 60_000);
  const first = Promise.withResolvers<string>();
  const abort = new AbortController();
  const running = withPermit(() => first.promise, signal);
  const waiting = withPermit(async () => 'never', abort.signal);
  const last = withPermit(async () => 'last', signal);
  abort.abort(new Error('the deadline'));
  await expect(waiting).rejects.toThrow('the deadline');
  first.resolve('first');
  expect(await Promise.all([running, last])).toEqual(['first', 'last']);
});

test('41 tasks of which 25 are given up while they wait are never more than 16 at once', async () => {
  const withPermit = createArrivalPermits(16, 60_000);
  const ends: (() => void)[] = [];
  let running = 0;
  let max = 0;
  const start = (abort: AbortController) =>
    withPermit(async () => {
      max = Math.max(max, ++running);
      await new Promise<void>((resolve) => void ends.push(resolve));
      running -= 1;
    }, abort.signal).catch(() => {});
  const aborts = Array.from({ length: 41 }, () => new AbortController());
  const all = aborts.map(start);
  const others = aborts.splice(16, 25).map((abort) => {
    abort.abort(new Error('given up'));
    return start(new AbortController());
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([running, max]).toEqual([16, 16]);
  while (running > 0) {
    for (const end of ends.splice(0)) end();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all([...all, ...others]);
  expect([max, ends.length]).toEqual([16, 0]);
});

test('whatever is started, given up and ended, never are there more than there may be, and none is forgotten', async () => {
  const step = fc.record({ do: fc.constantFrom('start', 'start', 'abort', 'end'), who: fc.nat() });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 40 }), async (count, steps) => {
      const withPermit = createArrivalPermits(count, 60_000);
      const aborts: AbortController[] = [];
      const ends: (() => void)[] = [];
      const all: Promise<unknown>[] = [];
      let running = 0;
      for (const next of steps) {
        if (next.do === 'start') {
          const abort = new AbortController();
          aborts.push(abort);
          const task = async () => {
            running += 1;
            await new Promise<void>((resolve) => void ends.push(resolve));
            running -= 1;
          };
          all.push(withPermit(task, abort.signal).catch(() => {}));
        }
        if (next.do === 'abort') aborts[next.who % Math.max(1, aborts.length)]?.abort(new Error('given up'));
        if (next.do === 'end') ends.splice(next.who % Math.max(1, ends.length), 1)[0]?.();
        await settle();
        expect(running).toBeLessThanOrEqual(count);
      }
      while (running > 0) {
        for (const end of ends.splice(0)) end();
        await settle();
      }
      await Promise.all(all);
    }),
    { numRuns: 100 },
  );
});

test('a task waits no longer than its patience for others that do not end', async () => {
  const withPermit = createArrivalPermits(1, 20);
  void withPermit(never, signal);
  expect(await withPermit(async () => 'done', signal)).toBe('done');
});
