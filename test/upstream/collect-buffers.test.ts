import { afterEach, expect, test, vi } from 'vitest';
import { collectedBytes, noteArrival } from '../../src/upstream/collect-buffers.ts';

const { gc } = globalThis;

afterEach(() => {
  globalThis.gc = gc;
});

test('young objects are collected once for so many bytes, however they arrive', () => {
  const collect = vi.fn();
  globalThis.gc = collect as unknown as typeof gc;
  for (let n = 0; n < 3 * 64; n += 1) noteArrival(collectedBytes / 64);
  expect(collect.mock.calls).toEqual([[{ type: 'minor' }], [{ type: 'minor' }], [{ type: 'minor' }]]);
});

test('without --expose-gc V8 decides alone', () => {
  globalThis.gc = undefined;
  expect(() => noteArrival(2 * collectedBytes)).not.toThrow();
});
