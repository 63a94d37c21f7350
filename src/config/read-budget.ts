import type { z } from 'zod';
import { type Budget, microsPerUnit } from '../domain/budget.ts';
import type { PriceList } from '../domain/price.ts';
import type { consumerSchema } from './keys-schema.ts';
import { type ModelsConfig, priceOf } from './models-config.ts';
import type { JsonPath, Report } from './problems.ts';

type BudgetEntry = NonNullable<z.output<typeof consumerSchema>['budget']>;

export type Priced = Pick<ModelsConfig, 'models' | 'currency' | 'prices' | 'hasListPrices'>;

type Context = {
  readonly models: Priced;
  /** The models that the consumer may use; `undefined`: all. */
  readonly allowed: readonly string[] | undefined;
  readonly report: Report;
};

/** A budget as the gateway counts it. Reports what would make it impossible to keep. */
export function readBudget(entry: BudgetEntry, path: JsonPath, { models: config, allowed, report }: Context): Budget {
  const { amount, currency, per, soft, maxImageCost } = entry;
  if (currency !== config.currency) {
    report([...path, 'currency'], `must be ${config.currency}, the \`currency\` of the models file`);
  }
  if (maxImageCost === undefined) {
    const unpriced = config.models.find(
      ({ name, targets }) =>
        (allowed?.includes(name) ?? true) && !targets.every((target) => isPricedPerImage(priceOf(target, config))),
    );
    if (unpriced !== undefined) {
      report(
        [...path, 'maxImageCost'],
        `is required: the model ${unpriced.name} has a target without a price for every image, so its cost is not known before`,
      );
    }
  }
  return {
    amount: inMicros(amount),
    currency,
    per,
    soft,
    maxImageCost: maxImageCost === undefined ? undefined : inMicros(maxImageCost),
  };
}

/** Whether there is a price for whatever size and quality an image has. */
function isPricedPerImage(price: PriceList | undefined): boolean {
  return price?.images?.some(({ size, quality }) => size === undefined && quality === undefined) ?? false;
}

function inMicros(amount: number): number {
  return Math.round(amount * microsPerUnit);
}
