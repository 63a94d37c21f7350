import { type BudgetUsage, type Micros, microsAsText, timeAsText } from '../domain/budget.ts';
import { GatewayError } from '../domain/gateway-error.ts';

/** The error of a request that costs more than is left of its consumer's budget. @param now in milliseconds since 1970 */
export function budgetExceeded(
  { budget, used, period }: BudgetUsage,
  { needed, now }: { readonly needed: Micros; readonly now: number },
): GatewayError {
  const { amount, currency, per } = budget;
  const left = microsAsText(Math.max(0, amount - used));
  const message = [
    `This key may spend ${microsAsText(amount)} ${currency} per ${per}, and ${left} ${currency} are left;`,
    `this request may cost ${microsAsText(needed)} ${currency}.`,
    needed > amount
      ? 'That is more than the whole budget, so that no reset helps: ask for fewer or cheaper images.'
      : `The budget is reset at ${timeAsText(period.resetsAt)}.`,
    'Nothing was sent to the image service.',
  ].join(' ');
  return new GatewayError('budget_exceeded', message, { retryAfterMs: Math.max(1, period.resetsAt - now) });
}
