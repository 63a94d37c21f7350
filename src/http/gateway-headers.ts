import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { type BudgetUsage, isBeyondSoft, microsAsText, timeAsText, usedShare } from '../domain/budget.ts';
import type { Usage } from '../domain/consumer-limits.ts';
import { costAsText } from '../domain/cost.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReport } from '../domain/generation-reader.ts';
import type { JobId } from '../domain/job-store.ts';
import type { Trace } from '../domain/trace.ts';
import type { Caller } from '../generations/caller.ts';
import { readIdempotencyKey } from './idempotency-key.ts';

export const timeoutHeader = 'x-gateway-timeout-ms';
export const maxRetriesHeader = 'x-gateway-max-retries';

/** What clients may ask for, in milliseconds and in calls. */
export const callerLimits = {
  [timeoutHeader]: { min: 1_000, max: 900_000 },
  [maxRetriesHeader]: { min: 0, max: 20 },
} as const;

/** Who calls, and within which limits. Throws a GatewayError for a limit or an `Idempotency-Key` that is none. */
export function callerOf({ headers, consumer, consumerId, bodyBytes, record, quota, raw }: FastifyRequest): Caller {
  const { [timeoutHeader]: timeout, [maxRetriesHeader]: retries } = headers;
  return {
    id: consumerId,
    isRetry: record.clientRetry > 0,
    idempotencyKey: readIdempotencyKey(raw),
    refusal: quota?.refusal,
    requestId: record.requestId,
    trace: record.trace,
    timeoutMs: timeout === undefined ? undefined : numberIn(timeoutHeader, timeout),
    maxRetries: retries === undefined ? undefined : numberIn(maxRetriesHeader, retries),
    models: consumer?.models,
    bodyBytes,
    usage: consumer,
  };
}

function numberIn(name: keyof typeof callerLimits, value: string | string[]): number {
  const { min, max } = callerLimits[name];
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new GatewayError('invalid_value', `The header '${name}' must be ${min} to ${max}.`, { param: name });
}

/** The client's `x-request-id` where it is harmless in headers and logs, else a new one. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

/**
 * The client's address, for the log only: that of the connection, or what trusted proxies report. These may add a port, and
 * pass on whatever their client wrote: what is no address is left out.
 */
export function clientAddress({ ip }: Pick<FastifyRequest, 'ip'>): string | undefined {
  const bare = (ip ?? '').replace(/^\[(.*)\](?::\d{1,5})?$/, '$1').replace(/^(\d[\d.]*):\d{1,5}$/, '$1');
  const address = bare.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(address) === 0 ? undefined : address;
}

/** `sampled` and `random`. */
const knownFlags = 0b11;

/** Two hexadecimal digits of version, the trace, the caller's own part of it, and flags. Later versions may add more. */
const grammar = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;

/** The caller's trace; `undefined` for a header that is not valid: the trace is to be ignored then. */
export function readTraceparent(header: string | string[] | undefined): Trace | undefined {
  const [, version, traceId, flags, more] = (typeof header === 'string' && grammar.exec(header.trim())) || [];
  if (traceId === undefined || flags === undefined || (version === '00' && more !== undefined)) return undefined;
  return { traceId, flags: (Number.parseInt(flags, 16) & knownFlags).toString(16).padStart(2, '0') };
}

/** What the gateway reports about how it served a request. */
export function generationHeaders(
  report: GenerationReport,
  { headers: asked, record }: FastifyRequest,
): Record<string, string> {
  const { costAhead, queueMs, upstreamMs, imageQuota, keyedAs, budget } = report;
  const adapted = [...report.adaptations, ...ignoredWords(record)];
  return {
    'x-gateway-model': printable(report.model),
    ...(keyedAs !== undefined && { 'x-gateway-job': shownJobId(report.id) }),
    ...(keyedAs === 'replayed' && { 'idempotent-replayed': 'true' }),
    ...(report.target !== undefined && { 'x-gateway-target': printable(report.target) }),
    'x-gateway-attempts': String(report.attempts),
    ...(adapted.length > 0 && { 'x-gateway-adapted': adapted.join(', ') }),
    ...(costAhead && { [costHeaderName(costAhead.currency)]: costAsText(costAhead.cost) }),
    ...(costAhead?.isEstimate && { 'x-gateway-cost-estimated': 'true' }),
    ...(upstreamMs !== undefined && {
      'server-timing': `queue;dur=${queueMs.toFixed(1)}, upstream;dur=${upstreamMs.toFixed(1)}`,
    }),
    // A request that has rejoined an earlier one's generation took nothing of the quota.
    ...(imageQuota && report.startedAt >= record.startedAt && rateLimitHeaders('images', imageQuota)),
    ...(budget && budgetHeader(budget)),
    // What clients asked for may be more than the model allows.
    ...(asked[timeoutHeader] !== undefined && { [timeoutHeader]: String(report.timeoutMs) }),
    ...(asked[maxRetriesHeader] !== undefined && { [maxRetriesHeader]: String(report.maxRetries) }),
  };
}

/** Warns that a budget will be used up; nothing below its soft limit. */
export function budgetHeader(usage: BudgetUsage): Record<string, string> {
  if (!isBeyondSoft(usage)) return {};
  const { budget, period } = usage;
  const facts = [
    `used=${Math.floor(usedShare(usage) * 100)}%`,
    `amount=${microsAsText(budget.amount)} ${budget.currency}`,
    `per=${budget.per}`,
    `reset=${timeAsText(period.resetsAt)}`,
  ];
  return { 'x-gateway-budget': facts.join('; ') };
}

/** What of a request has no effect, in the words of `x-gateway-adapted`. */
export function ignoredWords({ ignored = [] }: FastifyRequest['record']): readonly string[] {
  return ignored.map((name) => `${name}=ignored`);
}

const jobPrefix = 'imgjob_';

/** The id of a job as clients see it. */
export function shownJobId(id: JobId): string {
  return `${jobPrefix}${id}`;
}

/** What a client has sent as the id of a job. */
export function jobIdOf(shown: string): JobId {
  return shown.startsWith(jobPrefix) ? shown.slice(jobPrefix.length) : shown;
}

/** The currency is in its name, so that nobody adds up two of them. */
export function costHeaderName(currency: string): string {
  return `x-gateway-cost-${currency.toLowerCase()}`;
}

/** Names come from the configuration and may hold any character; headers may not. */
function printable(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) ? name : encodeURIComponent(name);
}

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
