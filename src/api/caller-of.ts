import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import type { Caller } from '../gateway/gateway.ts';

export const timeoutHeader = 'x-gateway-timeout-ms';
export const maxRetriesHeader = 'x-gateway-max-retries';

/** Who asks, and within which limits. Throws a GatewayError for a limit that is none. */
export function callerOf({ headers, callerId, record, account, payImages }: FastifyRequest): Caller {
  return {
    id: callerId,
    isRetry: record.clientRetry > 0,
    timeoutMs: numberIn(timeoutHeader, headers[timeoutHeader], { least: 1_000, most: 900_000 }),
    maxRetries: numberIn(maxRetriesHeader, headers[maxRetriesHeader], { least: 0, most: 20 }),
    models: account?.models,
    payImages,
  };
}

function numberIn(
  name: string,
  value: string | string[] | undefined,
  { least, most }: { least: number; most: number },
): number | undefined {
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new GatewayError('invalid_value', `The header '${name}' must be ${least} to ${most}.`, { param: name });
}
