import { z } from 'zod';

/** A schema of JSON Schema 2020-12, which is what OpenAPI 3.1 speaks. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** A zod schema as JSON Schema; `input`: as a caller writes it, before defaults are filled in. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'output'): JsonSchema {
  const { $schema: _dialect, '~standard': _validator, ...rest } = z.toJSONSchema(schema, { io }) as JsonSchema;
  return rest;
}
