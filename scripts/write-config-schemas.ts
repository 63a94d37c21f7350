import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { providers } from '../src/app.ts';
import { consumerSchema, keysFileSchema } from '../src/config/keys-schema.ts';
import { fileSchema, longModelSchema, modelKeysSchema } from '../src/config/models-schema.ts';
import { targetSchema } from '../src/config/target-schema.ts';

// Run as a program (`npm run schema`) this file writes what editors read for completion and hints.
if (import.meta.main) {
  writeFileSync(new URL('../config/models.schema.json', import.meta.url), modelsSchemaText());
  writeFileSync(new URL('../config/keys.schema.json', import.meta.url), keysSchemaText());
}

/** The JSON Schema (draft 7, which editors know best) of the models file before its variables are filled in. */
export function modelsSchemaText(): string {
  const [first, ...others] = providers.map(targetSchema);
  if (first === undefined) throw new Error('there is no provider');
  const target = z.discriminatedUnion('provider', [first, ...others]);
  // The short form: one target, its keys beside the model's own.
  const short = [first, ...others].map((one) => one.extend(modelKeysSchema.shape));
  const model = z.union([...short, longModelSchema(target)]);
  return schemaText(fileSchema(model));
}

/** The same of the keys file. */
export function keysSchemaText(): string {
  return schemaText(keysFileSchema(consumerSchema));
}

function schemaText(schema: z.ZodType): string {
  const jsonSchema = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema }) => allowReference(jsonSchema),
  });
  return `${JSON.stringify(jsonSchema, null, 2)}\n`;
}

// A value like ${AZURE_DEPLOYMENT} has its final form only after the variables are filled in. zod may call this more
// than once for one schema.
function allowReference(schema: { pattern?: string | undefined }): void {
  const reference = '|\\$\\{';
  if (schema.pattern === undefined || schema.pattern.endsWith(reference)) return;
  schema.pattern = `${schema.pattern}${reference}`;
}
