import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rateLimitFacts } from '../../src/upstream/rate-limit-headers.ts';

const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) => `x-ratelimit-${name}-requests`) as [
  string,
  string,
  string,
];

test.each([
  [{}, undefined],
  [
    { [limit]: '12', [remaining]: '7', [reset]: '6m0s' },
    { limit: 12, remaining: 7, resetMs: 360_000 },
  ],
  [
    { [limit]: '0', [remaining]: '0', [reset]: '1s' },
    { remaining: 0, resetMs: 1_000 },
  ],
  [{ [remaining]: '-1', [reset]: '850ms' }, { resetMs: 850 }],
  [{ [reset]: '1h2m3.5s' }, { resetMs: 3_723_500 }],
  [{ [reset]: '20' }, { resetMs: 20_000 }],
  [{ [remaining]: 'many', [limit]: '1e3', [reset]: 'soon' }, undefined],
  [{ [remaining]: '99999999999' }, undefined],
  [{ 'x-ratelimit-remaining-tokens': '5' }, undefined],
])('rateLimitFacts of %o are %o', (headers, facts) => {
  expect(rateLimitFacts(headers)).toEqual(facts);
});

test('rateLimitFacts never throws, and gives whole numbers only', () => {
  const value = fc.oneof(fc.string(), fc.stringMatching(/^[\d.hms-]{0,20}$/));
  fc.assert(
    fc.property(value, value, value, (one, two, three) => {
      const facts = rateLimitFacts({ [limit]: one, [remaining]: two, [reset]: three }) ?? {};
      for (const number of Object.values(facts)) expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
