import { describe, expect, test } from 'vitest';
import { hasEnded, type Lifetime, priorityAt } from '../../src/targets/lifetime.ts';

const lifetime = (facts: Partial<Lifetime> = {}): Lifetime => ({ priority: 2, ends: [], replaces: [], ...facts });
const at = (time: string) => Date.parse(time);

describe('the priority of a target', () => {
  test('is its own as long as nothing happens', () => {
    expect(priorityAt(lifetime(), at('2026-12-16T00:00:00Z'))).toBe(2);
    expect(priorityAt(lifetime({ ends: ['2026-12-16'] }), at('2026-12-15T23:59:59.999Z'))).toBe(2);
  });

  test('is behind all others from the beginning of the day on which it ends', () => {
    const ended = priorityAt(lifetime({ priority: 0, ends: ['2026-12-16'] }), at('2026-12-16T00:00:00Z'));
    expect(ended).toBeGreaterThan(priorityAt(lifetime({ priority: 1_000_000 }), 0));
    expect([hasEnded({ priority: ended }), hasEnded({ priority: 1_000_000 })]).toEqual([true, false]);
  });

  test('keeps its order among those that have all ended', () => {
    const [first, second] = [0, 1].map((priority) =>
      priorityAt(lifetime({ priority, ends: ['2026-01-01'] }), at('2026-12-01T00:00:00Z')),
    );
    expect(first).toBeLessThan(second as number);
  });

  test('ends on the first of its days', () => {
    const both = lifetime({ ends: ['2027-06-01', '2026-12-01'] });
    expect(hasEnded({ priority: priorityAt(both, at('2026-12-01T12:00:00Z')) })).toBe(true);
  });

  test('is that of the target that it replaces, from that day on, unless its own is lower', () => {
    const replaces = [{ priority: 0, from: '2026-12-01' }];
    expect(priorityAt(lifetime({ replaces }), at('2026-11-30T23:59:59Z'))).toBe(2);
    expect(priorityAt(lifetime({ replaces }), at('2026-12-01T00:00:00Z'))).toBe(0);
    expect(
      priorityAt(lifetime({ priority: 1, replaces: [{ priority: 3, from: '2026-12-01' }] }), at('2027-01-01')),
    ).toBe(1);
  });
});
