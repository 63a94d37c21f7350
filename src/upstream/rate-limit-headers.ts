import type { IncomingHttpHeaders } from 'node:http';
import type { QuotaFacts } from '../domain/quota-pools.ts';

const maxCount = 1_000_000_000;
const maxResetMs = 30 * 24 * 3_600_000;

/**
 * What the headers of a response say about the quota: `x-ratelimit-limit-requests`, `-remaining-requests` and `-reset-requests`, of
 * which Azure leaves out some, or sends a remaining of -1. What is of no use is left out; `undefined`: nothing is left.
 * https://learn.microsoft.com/answers/questions/2156987 shows them.
 */
export function rateLimitFacts(headers: IncomingHttpHeaders): QuotaFacts | undefined {
  const limit = count(headers['x-ratelimit-limit-requests']);
  const remaining = count(headers['x-ratelimit-remaining-requests']);
  const resetMs = duration(headers['x-ratelimit-reset-requests']);
  if (limit === undefined && remaining === undefined && resetMs === undefined) return undefined;
  return {
    ...(limit !== undefined && limit > 0 && { limit }),
    ...(remaining !== undefined && { remaining }),
    ...(resetMs !== undefined && { resetMs }),
  };
}

function count(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string' || !/^\s*\d{1,10}\s*$/.test(value)) return undefined;
  const number = Number(value);
  return number <= maxCount ? number : undefined;
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

function bounded(ms: number): number | undefined {
  return ms <= maxResetMs ? Math.ceil(ms) : undefined;
}

/** `1s`, `6m0s`, `850ms`, or a number of seconds, in milliseconds. */
function duration(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const text = value.trim();
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return bounded(Number(text) * 1_000);
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|h|m|s)){1,4}$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g);
  return bounded([...parts].reduce((sum, [, number, unit = '']) => sum + Number(number) * (unitMs[unit] ?? 0), 0));
}
