import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { GenerationReader } from '../../src/domain/generation.ts';
import { type Claim, GenerationRegistry } from '../../src/generations/generation-registry.ts';

const lingerMs = 1_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const generationOf = (name: string) => ({ name }) as unknown as GenerationReader;
const unknown = (name: string) => new GatewayError('upstream_timeout', name, { outcome: 'unknown' });
const cat = { caller: 'one', fingerprint: 'cat' };

describe('the registry of generations', () => {
  test('gives the oldest orphan first, each once, and then nothing', () => {
    const registry = new GenerationRegistry(lingerMs);
    const [first, second] = [generationOf('first'), generationOf('second')];
    registry.add(cat, first, () => {});
    registry.add(cat, second, () => {});
    expect(registry.orphans).toBe(2);
    expect([registry.take(cat), registry.take(cat), registry.take(cat)]).toEqual([
      { generation: first },
      { generation: second },
      undefined,
    ]);
    expect([registry.orphans, vi.getTimerCount()]).toEqual([0, 0]);
  });

  test('keeps a generation that was left again for the whole time, and gives it up once', () => {
    const registry = new GenerationRegistry(lingerMs);
    const generation = generationOf('left twice');
    const giveUp = vi.fn();
    registry.add(cat, generation, giveUp);
    vi.advanceTimersByTime(900);
    registry.take(cat);
    registry.add(cat, generation, giveUp);
    vi.advanceTimersByTime(900);
    expect([registry.orphans, giveUp.mock.calls.length]).toEqual([1, 0]);
    vi.advanceTimersByTime(10_000);
    expect([registry.orphans, giveUp.mock.calls.length]).toEqual([0, 1]);
  });

  test('never gives up what was taken, even where it was added twice', () => {
    const registry = new GenerationRegistry(lingerMs);
    const generation = generationOf('added twice');
    const giveUp = vi.fn();
    registry.add(cat, generation, giveUp);
    registry.add(cat, generation, giveUp);
    expect(registry.take(cat)).toEqual({ generation });
    vi.advanceTimersByTime(10_000);
    expect(giveUp).not.toHaveBeenCalled();
  });

  test('prefers an orphan to an unknown outcome, which it tells to everybody for its time', () => {
    const registry = new GenerationRegistry(lingerMs);
    const [error, later] = [unknown('first'), unknown('later')];
    const generation = generationOf('orphan');
    registry.share(cat, error);
    registry.add(cat, generation, () => {});
    expect([1, 2, 3].map(() => registry.take(cat))).toEqual([{ generation }, { unknown: error }, { unknown: error }]);
    vi.advanceTimersByTime(900);
    registry.share(cat, later);
    vi.advanceTimersByTime(900);
    expect(registry.take(cat)).toEqual({ unknown: later });
    vi.advanceTimersByTime(100);
    expect(registry.take(cat)).toBeUndefined();
  });
});

const claim = fc.record({ caller: fc.constantFrom('one', 'other'), fingerprint: fc.constantFrom('cat', 'dog') });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), claim }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), claim }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('share' as const), claim }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 1_200 }) }) },
);

test('whatever happens, an orphan is taken once or given up once, by its own caller, in order', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 50 }), (steps) => {
      const registry = new GenerationRegistry(lingerMs);
      const name = ({ caller, fingerprint }: Claim) => `${caller} ${fingerprint}`;
      let now = 0;
      let orphans: { readonly of: string; readonly generation: GenerationReader; readonly until: number }[] = [];
      const shared = new Map<string, { readonly error: GatewayError; readonly until: number }>();
      const givenUp: GenerationReader[] = [];
      const expired: GenerationReader[] = [];
      for (const [index, next] of steps.entries()) {
        if (next.do === 'add') {
          const generation = generationOf(`${index}`);
          registry.add(next.claim, generation, () => givenUp.push(generation));
          orphans.push({ of: name(next.claim), generation, until: now + lingerMs });
        } else if (next.do === 'share') {
          const error = unknown(`${index}`);
          registry.share(next.claim, error);
          shared.set(name(next.claim), { error, until: now + lingerMs });
        } else if (next.do === 'wait') {
          now += next.ms;
          vi.advanceTimersByTime(next.ms);
          expired.push(...orphans.filter(({ until }) => until <= now).map(({ generation }) => generation));
          orphans = orphans.filter(({ until }) => until > now);
        } else {
          const oldest = orphans.find((orphan) => orphan.of === name(next.claim));
          const told = shared.get(name(next.claim));
          const isTold = told !== undefined && told.until > now;
          const taken = registry.take(next.claim);
          if (oldest) expect(taken).toEqual({ generation: oldest.generation });
          else expect(taken).toEqual(isTold ? { unknown: told.error } : undefined);
          orphans = orphans.filter((orphan) => orphan !== oldest);
        }
        expect(registry.orphans).toBe(orphans.length);
        expect(givenUp).toEqual(expired);
      }
      vi.advanceTimersByTime(lingerMs);
      expect([registry.orphans, vi.getTimerCount()]).toEqual([0, 0]);
    }),
    { numRuns: 500 },
  );
});
