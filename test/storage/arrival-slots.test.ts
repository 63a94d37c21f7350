import { expect, test } from 'vitest';
import { createArrivalSlots } from '../../src/storage/arrival-slots.ts';

test('arrival slots let so many tasks run at once, and all of them in the end, failures included', async () => {
  const inSlot = createArrivalSlots(3);
  let running = 0;
  let most = 0;
  const task = (index: number) => async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (index % 2 === 0) throw new Error(String(index));
    return index;
  };
  const results = await Promise.allSettled([...Array(10).keys()].map((index) => inSlot(task(index))));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  expect(most).toBe(3);
});
