import type { ImageUsage } from '../../domain/image-event.ts';
import { hasContent } from './has-content.ts';

/**
 * The token counts in an upstream's `usage`: its members that are whole numbers, also those of objects in it; `undefined`
 * where there are none. Whatever else it says is left out, and `noteOther` is called.
 */
export function wholeUsage(usage: unknown, noteOther: () => void): ImageUsage | undefined {
  if (!isObject(usage)) {
    if (hasContent(usage)) noteOther();
    return undefined;
  }
  const counts = Object.entries(usage)
    .map(([name, value]) => [name, isCount(value) ? value : wholeUsage(value, noteOther)])
    .filter(([, value]) => value !== undefined);
  return counts.length === 0 ? undefined : Object.fromEntries(counts);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
