import { type Budget, type Micros, microsPerUnit } from '../domain/budget.ts';
import type { AdaptedRequest } from '../parameters/adapt.ts';
import type { Target } from '../targets/model-catalog.ts';
import { mayBe } from './billing.ts';

type Priced = {
  readonly target: Pick<Target, 'price' | 'family'>;
  readonly adapted: Pick<AdaptedRequest, 'legs'>;
};

/**
 * What an image of a request can cost at most, by the prices of the targets that the request may go to. Where a price is not
 * known before the image is made, the most that the budget's operator expects counts.
 */
export function estimateImage(
  candidates: readonly Priced[],
  { maxImageCost, amount }: Pick<Budget, 'maxImageCost' | 'amount'>,
): Micros {
  const unknown = maxImageCost ?? amount;
  return Math.max(0, ...candidates.map((candidate) => highestPrice(candidate) ?? unknown));
}

/** The highest price that may apply; `undefined`: one that is not known may. */
function highestPrice({ target: { price, family }, adapted: { legs } }: Priced): Micros | undefined {
  const [asked] = legs;
  // An agent may use others than it was asked for.
  const size = family.agentDecides ? undefined : definite(asked.size ?? family.defaults.size);
  const quality = family.agentDecides ? undefined : definite(asked.quality ?? family.defaults.quality);
  let highest = 0;
  for (const entry of price?.images ?? []) {
    if (!mayBe(entry.size, size) || !mayBe(entry.quality, quality)) continue;
    highest = Math.max(highest, Math.round(entry.price * microsPerUnit));
    // What comes after an entry that applies for sure never does.
    if ((entry.size ?? size) === size && (entry.quality ?? quality) === quality) return highest;
  }
  return undefined;
}

/** `auto` says that somebody else chooses. */
function definite(value: string | undefined): string | undefined {
  return value === 'auto' ? undefined : value;
}
