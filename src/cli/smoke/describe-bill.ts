import { type Bill, knownCost } from '../../domain/bill.ts';
import { costAsText } from '../../domain/cost.ts';
import type { ImageUsage } from '../../domain/image-event.ts';

/** What the image has cost, as far as it is known: Azure's own count of tokens, and money where the prices are known. */
export function describeBill(usage: ImageUsage | undefined, bill: Bill): string {
  return `${describeUsage(usage)}\n${describeCost(bill)}`;
}

function describeUsage(usage: ImageUsage = {}): string {
  const counts = Object.entries(usage).filter(([, value]) => typeof value === 'number');
  const tokens = counts.map(([name, value]) => `${name} ${value}`).join(', ');
  return tokens === '' ? 'Azure has not said what it counted.' : `Azure has counted: ${tokens}.`;
}

function describeCost(bill: Bill): string {
  const cost = knownCost(bill);
  if (cost !== undefined) return `The cost is ${costAsText(cost)} ${bill.currency}.`;
  return 'The cost is unknown: `prices` in the models file, or what Azure has counted, do not tell it; see docs/observability.md.';
}
