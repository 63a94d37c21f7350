/** Money in millionths of the operator's currency, as a whole number: what budgets and spend are counted in. */
export type Micros = number;

export const microsPerUnit = 1_000_000;

/** Days and months are those of UTC. */
export type BudgetInterval = 'day' | 'month';

/** What one consumer may spend in each day, or in each month. */
export type Budget = {
  readonly amount: Micros;
  /** The code of ISO 4217; it is the currency of the prices. */
  readonly currency: string;
  readonly per: BudgetInterval;
  /** The share of the amount from which on responses warn, above 0 and at most 1; `undefined`: they do not. */
  readonly soft: number | undefined;
  /** What is reserved for an image whose price is not known before it is made; `undefined`: all prices are. */
  readonly maxImageCost: Micros | undefined;
};

/** One day or one month. */
export type BudgetPeriod = {
  /** `2026-11-30` or `2026-11`. */
  readonly name: string;
  /** Its first and its last day: `2026-11-01` and `2026-11-30`. */
  readonly firstDay: string;
  readonly lastDay: string;
  /** When the next one begins, in milliseconds since 1970. */
  readonly resetsAt: number;
};

/** What is used of a budget. */
export type BudgetUsage = {
  readonly budget: Budget;
  /** Spent, and reserved for what is running. */
  readonly used: Micros;
  readonly period: BudgetPeriod;
};

const dayMs = 24 * 60 * 60_000;

/** The day in UTC. @param time in milliseconds since 1970 */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** The period that a time belongs to. @param time in milliseconds since 1970 */
export function periodAt(per: BudgetInterval, time: number): BudgetPeriod {
  const date = new Date(time);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  const begin = per === 'day' ? Date.UTC(year, month, day) : Date.UTC(year, month);
  const resetsAt = per === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1);
  const firstDay = dayOf(begin);
  const name = per === 'day' ? firstDay : firstDay.slice(0, 7);
  return { name, firstDay, lastDay: dayOf(resetsAt - dayMs), resetsAt };
}

/** The used share of a budget. */
export function usedShare({ budget, used }: Pick<BudgetUsage, 'budget' | 'used'>): number {
  return used / budget.amount;
}

/** Whether responses warn. */
export function isBeyondSoft({ budget, used }: Pick<BudgetUsage, 'budget' | 'used'>): boolean {
  return budget.soft !== undefined && usedShare({ budget, used }) >= budget.soft;
}

/** In whole units, as decimal digits: `0.0412`. */
export function microsAsText(micros: Micros): string {
  const [sign, size] = micros < 0 ? ['-', -micros] : ['', micros];
  const decimals = String(size % microsPerUnit)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${sign}${Math.floor(size / microsPerUnit)}${decimals === '' ? '' : `.${decimals}`}`;
}

/** `2026-12-01T00:00:00Z`. @param time in milliseconds since 1970 */
export function timeAsText(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}
