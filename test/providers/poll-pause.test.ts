import { expect, test } from 'vitest';
import { pollPause } from '../../src/providers/azure/poll-until-ended.ts';

const pauseAt = (elapsedMs: number, random = 0.5) => pollPause({ elapsedMs, hintMs: undefined, random });

test('pollPause, without a hint, grows with the elapsed time between 250 ms and 1.75 s', () => {
  expect([0, 500, 2_000, 3_500, 60_000].map((elapsed) => pauseAt(elapsed))).toEqual([250, 250, 1_000, 1_750, 1_750]);
});

test('pollPause is up to a twentieth shorter or longer, at random', () => {
  expect(pauseAt(8_000, 0)).toBeCloseTo(1_662.5);
  expect(pauseAt(8_000, 0.999)).toBeCloseTo(1_837, 0);
});

test('pollPause obeys what the upstream asks for, between 100 ms and 30 s', () => {
  expect(pollPause({ elapsedMs: 60_000, hintMs: 10_000, random: 0.5 })).toBe(10_000);
  expect(pollPause({ elapsedMs: 60_000, hintMs: 0, random: 0.5 })).toBe(100);
  expect(pollPause({ elapsedMs: 60_000, hintMs: 86_400_000, random: 0.5 })).toBe(30_000);
});

test('pollPause finds an operation of 60 s with at most 40 polls', () => {
  let polls = 0;
  for (let elapsed = 0; elapsed < 60_000; elapsed += pauseAt(elapsed)) polls += 1;
  expect(polls).toBeLessThanOrEqual(40);
});
