/** When Azure ends a model. */
export type Retirement = {
  /** The first day, in UTC, on which deployments may be gone: `2026-12-16`. */
  readonly date: string;
  /** The model to deploy instead, where there is one that lives longer. */
  readonly successor?: string;
  /** The page with the date; missing where the operator has said it. */
  readonly source?: string;
};

const dayMs = 24 * 60 * 60 * 1000;

/** The beginning of a day of UTC, in milliseconds since 1970. */
export function startOfDay(date: string): number {
  return Date.parse(`${date}T00:00:00Z`);
}

/** Whether a day of UTC has begun. @param now in milliseconds since 1970 */
export function hasCome(date: string, now: number): boolean {
  return startOfDay(date) <= now;
}

/** Whole days from `now` until a day begins; 0 or less from then on. */
export function daysUntil(date: string, now: number): number {
  return Math.ceil((startOfDay(date) - now) / dayMs);
}
