import type { ImageUsage } from '../domain/image-event.ts';

/** The token counts of several calls together: numbers are added, also those inside; anything else is kept once. */
export function sumUsage(one: ImageUsage | undefined, other: ImageUsage | undefined): ImageUsage | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...names].map((name) => [name, sumValues(one[name], other[name])]));
}

function sumValues(one: unknown, other: unknown): unknown {
  if (typeof one === 'number' && typeof other === 'number') return one + other;
  if (isObject(one) && isObject(other)) return sumUsage(one, other);
  return one ?? other;
}

function isObject(value: unknown): value is ImageUsage {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
