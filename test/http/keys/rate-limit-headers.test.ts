import { expect, test } from 'vitest';
import { rateLimitHeaders } from '../../../src/http/keys/rate-limit-headers.ts';

test.each([
  [0, '0s'],
  [1, '1ms'],
  [20.2, '21ms'],
  [999, '999ms'],
  [1_000, '1s'],
  [1_001, '2s'],
  [60_000, '1m0s'],
  [90_500, '1m31s'],
  [360_000, '6m0s'],
  [3_600_000, '1h0m0s'],
  [86_400_000, '24h0m0s'],
])('%i ms are told as %s, as OpenAI does', (resetMs, text) => {
  expect(rateLimitHeaders('requests', { limit: 60, remaining: 7, resetMs })).toEqual({
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '7',
    'x-ratelimit-reset-requests': text,
  });
});
