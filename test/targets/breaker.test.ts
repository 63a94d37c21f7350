import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Breaker } from '../../src/targets/breaker.ts';
import { defaultTimes } from '../../src/targets/times.ts';

const times = { ...defaultTimes, breakerOpenMs: 30, maxBreakerOpenMs: 100 };

function fail(breaker: Breaker, count: number, now = 0): void {
  for (let call = 0; call < count; call += 1) breaker.failed(now);
}

describe('a breaker', () => {
  test('opens with the fifth failure in a row', () => {
    const breaker = new Breaker(times);
    fail(breaker, 4);
    expect([breaker.state, breaker.allows(0)]).toEqual(['closed', true]);
    fail(breaker, 1);
    expect([breaker.state, breaker.allows(29), breaker.allows(30)]).toEqual(['open', false, true]);
  });

  test('starts to count anew with each success', () => {
    const breaker = new Breaker(times);
    fail(breaker, 4);
    breaker.succeeded();
    fail(breaker, 4);
    expect(breaker.state).toBe('closed');
  });

  test('opens when half of the last twenty calls have failed', () => {
    const breaker = new Breaker(times);
    for (let pair = 0; pair < 9; pair += 1) {
      breaker.succeeded();
      breaker.failed(0);
    }
    breaker.succeeded();
    expect(breaker.state).toBe('closed');
    breaker.failed(0);
    expect(breaker.state).toBe('open');
  });

  test('lets one call try when its time is over, closes when that succeeds, and opens for longer when it fails', () => {
    const breaker = new Breaker(times);
    fail(breaker, 5);
    let now = 0;
    for (const openMs of [30, 60, 90, 100, 100]) {
      expect([breaker.allows(now + openMs - 1), breaker.allows(now + openMs)]).toEqual([false, true]);
      now += openMs;
      breaker.started(now);
      expect([breaker.state, breaker.allows(now), breaker.allows(now + 1e9)]).toEqual(['half-open', false, false]);
      breaker.failed(now);
    }
    breaker.started(now + 100);
    breaker.succeeded();
    expect([breaker.state, breaker.allows(now)]).toEqual(['closed', true]);
    fail(breaker, 5, now);
    expect([breaker.allows(now + 29), breaker.allows(now + 30)]).toEqual([false, true]);
  });

  test('lets the next call try when the first one did not tell anything', () => {
    const breaker = new Breaker(times);
    fail(breaker, 5);
    breaker.started(30);
    breaker.undecided(40);
    expect(breaker.allows(40)).toBe(true);
    breaker.started(40);
    expect(breaker.allows(40)).toBe(false);
    breaker.succeeded();
    expect(breaker.state).toBe('closed');
  });

  test('opens at once for a target that is of no use, and no longer for calls that were under way', () => {
    const breaker = new Breaker(times);
    breaker.open(0);
    breaker.open(10);
    fail(breaker, 20, 10);
    expect([breaker.allows(29), breaker.allows(30)]).toEqual([false, true]);
  });

  test('never stays shut, whatever the calls that it allows come to', () => {
    const end = fc.constantFrom('succeeds', 'fails', 'tells nothing', 'is of no use');
    fc.assert(
      fc.property(fc.array(fc.tuple(end, fc.nat({ max: 60 })), { maxLength: 50 }), (calls) => {
        const breaker = new Breaker(times);
        let now = 0;
        for (const [how, ms] of calls) {
          now += ms;
          if (!breaker.allows(now)) continue;
          const wasOpen = breaker.state === 'open';
          breaker.started(now);
          if (wasOpen) expect(breaker.allows(now)).toBe(false);
          if (how === 'succeeds') breaker.succeeded();
          if (how === 'fails') breaker.failed(now);
          if (how === 'tells nothing') breaker.undecided(now);
          if (how === 'is of no use') breaker.open(now);
          expect(breaker.state).not.toBe('half-open');
          if (how === 'succeeds' || (wasOpen && how === 'tells nothing')) expect(breaker.allows(now)).toBe(true);
          if (wasOpen && how === 'fails') expect(breaker.allows(now)).toBe(false);
          expect(breaker.allows(now + times.maxBreakerOpenMs)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
