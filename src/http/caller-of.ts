import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import type { Caller } from '../generations/gateway.ts';

export const timeoutHeader = 'x-gateway-timeout-ms';
export const maxRetriesHeader = 'x-gateway-max-retries';

/** What callers may ask for, in milliseconds and in calls. */
export const callerLimits = {
  [timeoutHeader]: { least: 1_000, most: 900_000 },
  [maxRetriesHeader]: { least: 0, most: 20 },
} as const;

/** Who asks, and within which limits. Throws a GatewayError for a limit that is none. */
export function callerOf({ headers, callerId, record, account, acquire }: FastifyRequest): Caller {
  return {
    id: callerId,
    isRetry: record.clientRetry > 0,
    requestId: record.requestId,
    trace: record.trace,
    timeoutMs: numberIn(timeoutHeader, headers[timeoutHeader]),
    maxRetries: numberIn(maxRetriesHeader, headers[maxRetriesHeader]),
    models: account?.models,
    acquire,
  };
}

function numberIn(name: keyof typeof callerLimits, value: string | string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  const { least, most } = callerLimits[name];
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new GatewayError('invalid_value', `The header '${name}' must be ${least} to ${most}.`, { param: name });
}
