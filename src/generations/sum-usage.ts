import type { ImageUsage } from '../domain/image-event.ts';

/**
 * The token counts of two calls together: whole numbers are added, also those inside. What only one of them tells is left
 * out: it would pass for the count of both.
 */
export function sumUsage(one: ImageUsage | undefined, other: ImageUsage | undefined): ImageUsage | undefined {
  const sums = Object.keys(one ?? {})
    .map((name) => [name, sumValues(one?.[name], other?.[name])])
    .filter(([, sum]) => sum !== undefined);
  return sums.length === 0 ? undefined : Object.fromEntries(sums);
}

function sumValues(one: unknown, other: unknown): unknown {
  if (typeof one === 'number' && typeof other === 'number') {
    return Number.isSafeInteger(one + other) ? one + other : undefined;
  }
  return isObject(one) && isObject(other) ? sumUsage(one, other) : undefined;
}

function isObject(value: unknown): value is ImageUsage {
  return typeof value === 'object' && value !== null;
}
