import type { IncomingHttpHeaders } from 'node:http';

const maxHintMs = 30 * 24 * 3600 * 1000;
const textLength = 4096;

/**
 * How long the upstream asks callers to wait, in ms: `retry-after-ms` (or `x-ms-retry-after-ms`), else `retry-after` in
 * seconds or as a date (measured from the response's own `date`), else seconds in the error's text, as Azure's 429s often
 * have it. `undefined` when it says nothing usable.
 */
export function retryHint(headers: IncomingHttpHeaders, text = '', now = Date.now()): number | undefined {
  return (
    usable(decimal(headers['retry-after-ms'])) ??
    usable(decimal(headers['x-ms-retry-after-ms'])) ??
    usable(seconds(headers['retry-after'])) ??
    usable(untilDate(headers['retry-after'], headers.date, now)) ??
    usable(secondsInText(text.slice(0, textLength)))
  );
}

function usable(ms: number): number | undefined {
  return ms >= 0 && ms <= maxHintMs ? Math.ceil(ms) : undefined;
}

function decimal(value: string | string[] | undefined): number {
  return typeof value === 'string' && /^\s*\d{1,12}(\.\d{1,6})?\s*$/.test(value) ? Number(value) : Number.NaN;
}

function seconds(value: string | string[] | undefined): number {
  return decimal(value) * 1000;
}

function untilDate(value: string | undefined, date: string | undefined, now: number): number {
  if (value === undefined || !/[A-Za-z]/.test(value)) return Number.NaN;
  const from = Date.parse(date ?? '');
  return Math.max(0, Date.parse(value) - (Number.isNaN(from) ? now : from));
}

function secondsInText(text: string): number {
  const found = /(?:retry after|try again in) (\d{1,9}) ?(?:second|s\b)/i.exec(text);
  return found === null ? Number.NaN : Number(found[1]) * 1000;
}
