import type { Values } from '../domain/model-capabilities.ts';
import { anySizeWithinRule, isWithinPixelRule, pixelRule } from './pixel-rule.ts';

/** Whether a parameter takes a value. */
export function takes(values: Values, value: string): boolean {
  if (values === 'any') return true;
  return values.some((entry) => (entry === anySizeWithinRule ? isWithinPixelRule(value) : entry === value));
}

/** Whether a family has no such parameter at all. */
export function isAbsent(values: Values): boolean {
  return values.length === 0;
}

/** The values in words: `low, medium, high`. */
export function describeValues(values: Values): string {
  if (values === 'any') return 'any value';
  return values.map((entry) => (entry === anySizeWithinRule ? pixelRule : entry)).join(', ');
}
