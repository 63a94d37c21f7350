import { z } from 'zod';

/** What a printable name is, for messages. */
export const printableNameRule = 'must be 1 to 128 printable characters without blanks at its ends';

// Plain ranges, because this pattern also goes into the JSON Schema, and not every reader of that knows `\p{…}`.
const control = '\\u0000-\\u001f\\u007f-\\u009f';
const edge = `[^\\s${control}]`;
const inner = `[^${control}\\u2028\\u2029]`;

// Format characters (zero width, direction marks) and lone surrogates: they make names that look alike, or break URLs.
const invisible = /[\p{Cf}\p{Cs}]/u;

/** Name of a model, alias, family or deployment. `/` is allowed, because clients send names like `azure/dall-e-3`. */
export const printableName = z
  .string()
  .regex(new RegExp(`^${edge}(?:${inner}{0,126}${edge})?$`), { error: printableNameRule, abort: true })
  .refine((name) => !invisible.test(name), printableNameRule);
