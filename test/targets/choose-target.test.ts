import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { chooseHealthy, chooseTarget } from '../../src/targets/choose-target.ts';
import type { Target } from '../../src/targets/model-catalog.ts';

import { acquire, fail, healthAt } from './call-target.ts';

const east = { name: 'east', priority: 0, weight: 3 };
const west = { name: 'west', priority: 0, weight: 1 };
const spare = { name: 'spare', priority: 1, weight: 100 };

test('chooseTarget gives the targets of the lowest priority number their share by weight', () => {
  const chosen = [0, 0.5, 0.74, 0.75, 0.99].map((random) => chooseTarget([spare, east, west], random).name);
  expect(chosen).toEqual(['east', 'east', 'east', 'west', 'west']);
});

test('chooseTarget always finds one of the lowest priority number', () => {
  const target = fc.record({ priority: fc.nat({ max: 3 }), weight: fc.integer({ min: 1, max: 1000 }) });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.array(target, { minLength: 1, maxLength: 8 }), random, (targets, dice) => {
      const chosen = chooseTarget(targets, dice);
      expect(targets).toContain(chosen);
      expect(chosen.priority).toBe(Math.min(...targets.map(({ priority }) => priority)));
    }),
    { numRuns: 1000 },
  );
});

describe('chooseHealthy', () => {
  const now = 1_000;
  const healthy = (name: string, { priority = 0, weight = 1, maxConcurrent = 1 } = {}) =>
    ({ name, priority, weight, health: healthAt(now, maxConcurrent).target }) as unknown as Target;
  const wait = (retryAfterMs: number) =>
    new GatewayError('upstream_rate_limited', 'wait', { outcome: 'not-processed', retryAfterMs });
  const useless = new GatewayError('upstream_auth_failed', 'no', { outcome: 'not-processed', isTargetWide: true });
  const choose = (targets: readonly Target[], tried: readonly Target[] = [], random = 0) => {
    const choice = chooseHealthy(targets, { tried: new Set(tried), now, random });
    return 'target' in choice ? choice.target.name : choice.coolDown.until;
  };

  test('leaves out who asked for a wait, even the last one, and tells the shortest wait', async () => {
    const [first, second] = [healthy('first'), healthy('second', { priority: 1 })];
    await fail(first.health, wait(500));
    expect(choose([first, second])).toBe('second');
    await fail(second.health, wait(200));
    expect(choose([first, second])).toBe(1_200);
    expect(choose([first])).toBe(1_500);
  });

  test('leaves out whose breaker is open, but never all', async () => {
    const [first, second] = [healthy('first'), healthy('second', { priority: 1 })];
    await fail(first.health, useless);
    expect(choose([first, second])).toBe('second');
    await fail(second.health, useless);
    expect(choose([first, second])).toBe('first');
    expect(choose([second])).toBe('second');
  });

  test('prefers who was not tried, then who has a free permit, whatever their priority', async () => {
    const targets = [healthy('first'), healthy('second', { priority: 1 }), healthy('third', { priority: 2 })];
    const [first, second] = targets as [Target, Target, Target];
    expect(choose(targets)).toBe('first');
    expect(choose(targets, [first])).toBe('second');
    await acquire(second.health);
    expect(choose(targets, [first])).toBe('third');
    expect(choose(targets, targets)).toBe('first');
    expect(choose([second])).toBe('second');
  });

  test('leaves out who has ended as long as another one was not tried, and then comes to it', async () => {
    const ended = 1_000_000_000;
    const targets = [healthy('old', { priority: ended }), healthy('new', { priority: 5 })];
    const [old, living] = targets as [Target, Target];
    expect(choose(targets)).toBe('new');
    expect(choose(targets, [living])).toBe('old');
    expect(choose(targets, targets)).toBe('new');
    expect(choose([old])).toBe('old');
    await fail(living.health, useless);
    expect(choose(targets)).toBe('old');
  });

  test('reads a priority that changes with the day once for a choice', () => {
    let reads = 0;
    const changing = {
      weight: 1,
      get priority() {
        reads += 1;
        return reads;
      },
    };
    expect(chooseTarget([changing], 0)).toBe(changing);
  });

  test('always finds one that may be asked, or a wait', async () => {
    const state = fc.record({
      priority: fc.nat({ max: 2 }),
      waitMs: fc.option(fc.integer({ min: 1, max: 1_000 })),
      isOpen: fc.boolean(),
      isTried: fc.boolean(),
    });
    const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(fc.array(state, { minLength: 1, maxLength: 5 }), dice, async (states, random) => {
        const targets: Target[] = [];
        for (const [index, { priority, waitMs, isOpen }] of states.entries()) {
          const target = healthy(`${index}`, { priority });
          if (waitMs !== null) await fail(target.health, wait(waitMs));
          if (isOpen) await fail(target.health, useless);
          targets.push(target);
        }
        const tried = targets.filter((_, index) => states[index]?.isTried);
        const chosen = choose(targets, tried, random);
        const ready = states.filter(({ waitMs }) => waitMs === null);
        if (ready.length === 0) {
          expect(chosen).toBe(now + Math.min(...states.map(({ waitMs }) => waitMs ?? 0)));
          return;
        }
        const { waitMs, isOpen, isTried } = states[Number(chosen)] ?? {};
        expect(waitMs).toBe(null);
        if (isOpen) expect(ready.every((other) => other.isOpen)).toBe(true);
        const equal = ready.filter((other) => other.isOpen === isOpen);
        if (isTried) expect(equal.every((other) => other.isTried)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
