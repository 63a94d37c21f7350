import { expect, test } from 'vitest';
import { SharedEvents } from '../../src/generations/shared-events.ts';

function source(count: number) {
  const state = { given: 0, isClosed: false };
  async function* events() {
    try {
      while (state.given < count) {
        state.given += 1;
        yield state.given;
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, events: events() };
}

const all = (shared: SharedEvents<number>) => Array.fromAsync({ [Symbol.asyncIterator]: () => shared.read() });

test('every reader gets every event, in order', async () => {
  const { events, state } = source(100);
  const shared = new SharedEvents(events, 3);
  const expected = Array.from({ length: 100 }, (_, index) => index + 1);
  expect(await Promise.all([all(shared), all(shared), all(shared)])).toEqual([expected, expected, expected]);
  expect(state.isClosed).toBe(true);
});

test('the next event is asked for when all readers have asked for it', async () => {
  const { events, state } = source(10);
  const shared = new SharedEvents(events, 2);
  const [fast, slow] = [shared.read(), shared.read()];
  const first = fast.next();
  await new Promise(setImmediate);
  expect(state.given).toBe(0);
  expect([await slow.next(), await first]).toEqual([
    { value: 1, done: false },
    { value: 1, done: false },
  ]);
});

test('a reader that stops is not waited for, whether it had begun or not; the last one closes the source', async () => {
  const { events, state } = source(10);
  const shared = new SharedEvents(events, 3);
  const [one, other] = [shared.read(), shared.read()];
  const pending = one.next();
  await shared.drop();
  await other.return?.();
  await other.return?.();
  expect(await pending).toEqual({ value: 1, done: false });
  expect(state.isClosed).toBe(false);
  await one.return?.();
  expect(state.isClosed).toBe(true);
});

test('a failure reaches every reader', async () => {
  async function* failing(): AsyncGenerator<number> {
    yield 1;
    throw new Error('broken');
  }
  const shared = new SharedEvents(failing(), 2);
  const results = await Promise.allSettled([all(shared), all(shared)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
