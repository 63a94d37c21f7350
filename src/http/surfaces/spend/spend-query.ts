import type { FastifyRequest } from 'fastify';
import { dayOf, periodAt } from '../../../domain/budget.ts';
import { GatewayError } from '../../../domain/gateway-error.ts';
import { type SpendKey, type SpendQuery, spendKeys } from '../../../domain/ledger.ts';

export const maxDays = 366;

/** How the sums are sent. */
export type SpendFormat = 'json' | 'csv';

const dayMs = 24 * 60 * 60_000;

const known = ['from', 'to', 'by', 'consumer', 'format'] as const;

type Name = (typeof known)[number];

type Asker = {
  readonly consumerId: string;
  readonly isAdmin: boolean;
  /** The time of day. */
  readonly now: number;
};

/**
 * What a request wants to know: by default the current month, by consumer and day. Throws `invalid_value`,
 * `unknown_parameter`, and `not_permitted` for another consumer's spend.
 */
export function readSpendQuery(
  query: Readonly<Record<string, unknown>>,
  { consumerId, isAdmin, now }: Asker,
): SpendQuery {
  const stranger = Object.keys(query).find((name) => !known.includes(name as Name));
  if (stranger !== undefined) {
    const message = `The spend has no such parameter; there are ${known.join(', ')}.`;
    throw new GatewayError('unknown_parameter', message, { param: printable(stranger) });
  }
  const month = periodAt('month', now);
  const to = readDay(query, 'to') ?? dayOf(now);
  const from = readDay(query, 'from') ?? (to < month.firstDay ? `${to.slice(0, 7)}-01` : month.firstDay);
  const days = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  if (days < 1) throw invalid('to', "must not be before 'from'");
  if (days > maxDays) throw invalid('from', `and 'to' must be at most ${maxDays} days apart`);
  const consumer = textOf(query, 'consumer');
  if (!isAdmin && consumer !== undefined && consumer !== consumerId) {
    const message = 'This key may see its own spend only; that of others needs a key with the role `admin`.';
    throw new GatewayError('not_permitted', message, { param: 'consumer' });
  }
  return { from, to, by: readKeys(query), consumer: isAdmin ? consumer : consumerId };
}

/** How a client wants the sums: as it says in `format`, else in `accept`. */
export function readSpendFormat(
  query: Readonly<Record<string, unknown>>,
  accept: FastifyRequest['headers']['accept'],
): SpendFormat {
  const format = textOf(query, 'format');
  if (format === undefined) return /\btext\/csv\b/i.test(accept ?? '') ? 'csv' : 'json';
  if (format === 'json' || format === 'csv') return format;
  throw invalid('format', 'must be json or csv');
}

function readKeys(query: Readonly<Record<string, unknown>>): readonly SpendKey[] {
  const text = textOf(query, 'by');
  if (text === undefined) return ['consumer', 'day'];
  const names = text.split(',').map((name) => name.trim());
  const isKnown = (name: string): name is SpendKey => spendKeys.includes(name as SpendKey);
  if (names.every(isKnown)) return spendKeys.filter((key) => names.includes(key));
  throw invalid('by', `must be some of ${spendKeys.join(', ')}, with commas between them`);
}

function readDay(query: Readonly<Record<string, unknown>>, name: Name): string | undefined {
  const text = textOf(query, name);
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  // A date such as 2026-02-30 is taken for another one.
  if (!Number.isNaN(time) && dayOf(time) === text) return text;
  throw invalid(name, 'must be a date such as 2026-11-30');
}

function textOf(query: Readonly<Record<string, unknown>>, name: Name): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === 'string') return value;
  throw invalid(name, 'must be given once');
}

function invalid(name: Name, rule: string): GatewayError {
  return new GatewayError('invalid_value', `'${name}' ${rule}.`, { param: name });
}

/** Names that a client has made up are shown as far as they are harmless. */
function printable(name: string): string {
  return name.replace(/[^\w.-]/g, '').slice(0, 64);
}
