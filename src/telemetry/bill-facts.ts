import type { Bill } from '../domain/bill.ts';
import { costAsNumber } from '../domain/cost.ts';

type BillFacts = { readonly cost: number | null; readonly currency?: string; readonly costMayBeMore?: true };

/** A bill for the log: `cost` is null where nothing is known of it, and 0 only where nothing can have been billed. */
export function billFacts({ cost, currency, mayBeMore }: Bill): BillFacts {
  const isKnown = cost !== undefined && (cost > 0n || !mayBeMore);
  return {
    cost: isKnown ? costAsNumber(cost) : null,
    ...(isKnown && currency !== undefined && { currency }),
    ...(mayBeMore && { costMayBeMore: true }),
  };
}
