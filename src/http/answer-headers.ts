import type { IncomingHttpHeaders } from 'node:http';
import { costAsText } from '../domain/cost.ts';
import type { GenerationReport } from '../domain/generation-reader.ts';
import { maxRetriesHeader, timeoutHeader } from './caller-of.ts';

/** What the gateway tells about how it served a request. */
export function answerHeaders(report: GenerationReport, asked: IncomingHttpHeaders): Record<string, string> {
  return {
    'x-gateway-model': printable(report.model),
    ...(report.target !== undefined && { 'x-gateway-target': printable(report.target) }),
    'x-gateway-attempts': String(report.attempts),
    ...(report.adaptations.length > 0 && { 'x-gateway-adapted': report.adaptations.join(', ') }),
    ...costHeader(report),
    ...(report.upstreamMs !== undefined && { 'server-timing': timing(report.queueMs, report.upstreamMs) }),
    // What callers asked for may be more than the model allows.
    ...(asked[timeoutHeader] !== undefined && { [timeoutHeader]: String(report.timeoutMs) }),
    ...(asked[maxRetriesHeader] !== undefined && { [maxRetriesHeader]: String(report.maxRetries) }),
  };
}

/** The currency is in its name, so that nobody adds up two of them. */
export function costHeaderName(currency: string): string {
  return `x-gateway-cost-${currency.toLowerCase()}`;
}

function costHeader({ costAhead }: GenerationReport): Record<string, string> {
  if (costAhead === undefined) return {};
  return { [costHeaderName(costAhead.currency)]: costAsText(costAhead.cost) };
}

function timing(queueMs: number, upstreamMs: number): string {
  return `queue;dur=${queueMs.toFixed(1)}, upstream;dur=${upstreamMs.toFixed(1)}`;
}

/** Names come from the configuration and may hold any character; headers may not. */
function printable(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) ? name : encodeURIComponent(name);
}
