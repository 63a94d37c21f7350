import { z } from 'zod';

/** The rule for printable names, for messages. */
export const printableNameRule = 'must be 1 to 128 printable characters without spaces at either end';

// Plain ranges, because the pattern is also used in the JSON Schema, and not every editor supports `\p{…}`.
const control = '\\u0000-\\u001f\\u007f-\\u009f';
const edge = `[^\\s${control}]`;
const inner = `[^${control}\\u2028\\u2029]`;

// Format characters (zero width, direction marks) make different names look alike; lone surrogates break URLs.
const invisible = /[\p{Cf}\p{Cs}]/u;

/** Name of a model, alias, family or deployment. `/` is allowed, because clients send names like `azure/dall-e-3`. */
export const printableName = z
  .string()
  .regex(new RegExp(`^${edge}(?:${inner}{0,126}${edge})?$`), { error: printableNameRule, abort: true })
  .refine((name) => !invisible.test(name), printableNameRule);
