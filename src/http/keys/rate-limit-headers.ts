import type { Usage } from './rate-window.ts';

/** What a limit is about, as the names of its headers end. */
export type Limited = 'requests' | 'images';

export type RateLimitHeader = `x-ratelimit-${'limit' | 'remaining' | 'reset'}-${Limited}`;

/** OpenAI's headers about a limit; they have them for requests and tokens, so that those for images are in their style. */
export function rateLimitHeaders(
  what: Limited,
  { limit, remaining, resetMs }: Usage,
): Partial<Record<RateLimitHeader, string>> {
  return {
    [`x-ratelimit-limit-${what}`]: String(limit),
    [`x-ratelimit-remaining-${what}`]: String(remaining),
    [`x-ratelimit-reset-${what}`]: duration(resetMs),
  };
}

/** As OpenAI writes it: `20ms`, `1s`, `6m0s`, `1h0m0s`. */
function duration(ms: number): string {
  if (ms > 0 && ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const rest = `${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
