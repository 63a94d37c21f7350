import { type Bill, knownCost } from '../domain/bill.ts';
import { costAsNumber } from '../domain/cost.ts';

type BillFacts = { readonly cost: number | null; readonly currency?: string; readonly costMayBeMore?: true };

/** A bill for the log: `cost` is null where nothing is known of it, and 0 only where nothing can have been billed. */
export function billFacts(bill: Bill): BillFacts {
  const { currency, mayBeMore } = bill;
  const cost = knownCost(bill);
  return {
    cost: cost === undefined ? null : costAsNumber(cost),
    ...(cost !== undefined && currency !== undefined && { currency }),
    ...(mayBeMore && { costMayBeMore: true }),
  };
}
