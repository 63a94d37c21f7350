import { type Micros, microsAsText, microsPerUnit } from '../../../domain/budget.ts';
import { type SpendKey, type SpendQuery, type SpendRow, spendKeys } from '../../../domain/ledger.ts';

/** The sums, by their names on the wire; money is in millionths. */
const sums = {
  calls: 'calls',
  images: 'images',
  text_in_tokens: 'textIn',
  image_in_tokens: 'imageIn',
  cached_in_tokens: 'cachedIn',
  text_out_tokens: 'textOut',
  image_out_tokens: 'imageOut',
  cost: 'cost',
  estimated_cost: 'estimatedCost',
  assumed_cost: 'assumedCost',
  unpriced_calls: 'unpriced',
  unknown_outcomes: 'unknownOutcomes',
} as const satisfies Record<string, Exclude<keyof SpendRow, SpendKey | 'currency'>>;

const money: readonly string[] = ['cost', 'estimated_cost', 'assumed_cost'];

const names = Object.keys(sums) as (keyof typeof sums)[];

/** The spend as JSON has it; sums are exact to a millionth. @param currency of the prices that are in force */
export function spendObject({ from, to, by }: SpendQuery, rows: readonly SpendRow[], currency: string): object {
  const currencies = [...new Set([currency, ...rows.map((row) => row.currency)])];
  const totals = currencies
    .map((one) => totalOf(rows, one))
    .filter((row) => row.currency === currency || row.calls > 0);
  return {
    ...{ object: 'list', from, to, by, currency },
    data: rows.map((row) => ({ ...keysOf(row), currency: row.currency, ...sumsOf(row) })),
    totals: totals.map((row) => ({ currency: row.currency, ...sumsOf(row) })),
  };
}

/** The spend as CSV (RFC 4180), with a line of names first. */
export function spendCsv({ by }: Pick<SpendQuery, 'by'>, rows: readonly SpendRow[]): string {
  const keys = spendKeys.filter((key) => by.includes(key));
  const lines = rows.map((row) => [
    ...keys.map((key) => row[key] ?? ''),
    row.currency,
    ...names.map((name) => (money.includes(name) ? microsAsText(row[sums[name]]) : String(row[sums[name]]))),
  ]);
  return [[...keys, 'currency', ...names], ...lines].map((line) => `${line.map(csvField).join(',')}\r\n`).join('');
}

/** Spreadsheets take what begins so for a formula, which might call anything; a quote before it makes it text. */
function csvField(value: string): string {
  const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function keysOf(row: SpendRow): Partial<Record<SpendKey, string>> {
  return Object.fromEntries(spendKeys.flatMap((key) => (row[key] === undefined ? [] : [[key, row[key]]])));
}

function sumsOf(row: SpendRow): Record<string, number> {
  return Object.fromEntries(
    names.map((name) => [name, money.includes(name) ? inUnits(row[sums[name]]) : row[sums[name]]]),
  );
}

function totalOf(rows: readonly SpendRow[], currency: string): SpendRow {
  const own = rows.filter((row) => row.currency === currency);
  const total = Object.values(sums).map((name) => [name, own.reduce((sum, row) => sum + row[name], 0)]);
  return { currency, ...Object.fromEntries(total) } as SpendRow;
}

function inUnits(micros: Micros): number {
  return micros / microsPerUnit;
}
