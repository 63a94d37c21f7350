import { expect, test } from 'vitest';
import { createArrivalSlots } from '../../src/storage/arrival-slots.ts';

const { signal } = new AbortController();
const never = () => new Promise<never>(() => {});

test('arrival slots let so many tasks run at once, and all of them in the end, failures included', async () => {
  const inSlot = createArrivalSlots(3, 60_000);
  let running = 0;
  let most = 0;
  const task = (index: number) => async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (index % 2 === 0) throw new Error(String(index));
    return index;
  };
  const results = await Promise.allSettled([...Array(10).keys()].map((index) => inSlot(task(index), signal)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  expect(most).toBe(3);
});

test('a task whose signal is aborted while it waits is given up, and its place goes to the next', async () => {
  const inSlot = createArrivalSlots(1, 60_000);
  const first = Promise.withResolvers<string>();
  const abort = new AbortController();
  const running = inSlot(() => first.promise, signal);
  const waiting = inSlot(async () => 'never', abort.signal);
  const last = inSlot(async () => 'last', signal);
  abort.abort(new Error('the deadline'));
  await expect(waiting).rejects.toThrow('the deadline');
  first.resolve('first');
  expect(await Promise.all([running, last])).toEqual(['first', 'last']);
});

test('a task waits no longer than its patience for others that do not end', async () => {
  const inSlot = createArrivalSlots(1, 20);
  void inSlot(never, signal);
  expect(await inSlot(async () => 'done', signal)).toBe('done');
});
