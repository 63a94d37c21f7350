import { maxSpendRows, type SpendKey, type SpendQuery, type SpendRow, spendKeys } from '../../domain/ledger.ts';
import { type Row, type Steps, statement } from './steps.ts';

const sums = {
  calls: 'calls',
  images: 'images',
  textIn: 'text_in',
  imageIn: 'image_in',
  cachedIn: 'cached_in',
  textOut: 'text_out',
  imageOut: 'image_out',
  cost: 'cost',
  estimatedCost: 'estimated_cost',
  assumedCost: 'assumed_cost',
  unpriced: 'unpriced',
  unknownOutcomes: 'unknown_outcomes',
} as const satisfies Partial<Record<keyof SpendRow, string>>;

const sumColumns = Object.values(sums)
  .map((column) => `cast(sum(${column}) as bigint) as ${column}`)
  .join(', ');

/** Sums up what was spent, in groups; one for each currency at least. */
export function* sumSpend({ from, to, by, consumer }: SpendQuery): Steps<readonly SpendRow[]> {
  // The names become part of the statement.
  const keys = spendKeys.filter((key) => by.includes(key));
  const groups = [...keys, 'currency'].join(', ');
  const ofConsumer = consumer === undefined ? '' : ' and consumer = ?';
  const { rows } = yield statement(
    `select ${groups}, ${sumColumns} from spend where day >= ? and day <= ?${ofConsumer} group by ${groups} order by ${groups} limit ${maxSpendRows + 1}`,
    ...[from, to, ...(consumer === undefined ? [] : [consumer])],
  );
  return rows.map((row) => spendRow(row, keys));
}

function spendRow(row: Row, keys: readonly SpendKey[]): SpendRow {
  return {
    ...Object.fromEntries(keys.map((key) => [key, String(row[key])])),
    currency: String(row.currency),
    ...(Object.fromEntries(Object.entries(sums).map(([name, column]) => [name, Number(row[column])])) as Record<
      keyof typeof sums,
      number
    >),
  };
}
