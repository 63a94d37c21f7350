import { errorReply, jsonReply } from '../http-text.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atPost, second } from './playing.ts';

/** A 429 with a hint in one of its spellings. */
function limited(
  name: string,
  headers: () => Record<string, string>,
  { retryAfterMs, text = 'upstream-text-canary' }: { readonly retryAfterMs?: number; readonly text?: string } = {},
): Fault {
  return {
    number: 24,
    name: `429, ${name}`,
    play: atPost(() => errorReply(429, { code: '429', message: text }, headers())),
    reported: { ...expected.limited, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  };
}

const inOneSecond = (): Record<string, string> => {
  const now = Date.now();
  // Both are the upstream's own words, whose clock may be wrong.
  return { date: new Date(now - 3_600_000).toUTCString(), 'retry-after': new Date(now - 3_599_000).toUTCString() };
};

export const limitFaults: readonly Fault[] = [
  limited('retry-after-ms', () => ({ 'retry-after-ms': '50' }), { retryAfterMs: 50 }),
  limited('retry-after-ms before retry-after', () => ({ 'retry-after-ms': '50', 'retry-after': '9' }), {
    retryAfterMs: 50,
  }),
  limited('retry-after in seconds', () => ({ 'retry-after': '1' }), { retryAfterMs: second }),
  limited('retry-after as a date', inOneSecond, { retryAfterMs: second }),
  limited('the wait in the text', () => ({}), {
    text: 'upstream-text-canary. Please retry after 1 second.',
    retryAfterMs: second,
  }),
  {
    ...limited('flat, as of API Management', () => ({}), { retryAfterMs: second }),
    play: atPost(() => jsonReply(429, { statusCode: 429, message: 'Rate limit is exceeded. Try again in 1 seconds.' })),
  },
  limited('no wait', () => ({})),
  limited('a negative wait', () => ({ 'retry-after': '-5' })),
  limited('garbage for a wait', () => ({ 'retry-after': 'soon, perhaps', 'retry-after-ms': '1e9' })),
  {
    ...limited('an hour', () => ({ 'retry-after': '3600' })),
    reported: { ...expected.limited, attempts: 1, received: 1, retryAfterMs: 3_600_000 },
  },
  {
    number: 24,
    name: '429, quota',
    play: atPost(() => errorReply(429, { code: 'insufficient_quota', type: 'insufficient_quota' })),
    reported: expected.quota,
  },
];
