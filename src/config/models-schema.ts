import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { fileSchema, longModelSchema, shortModelSchemas } from './model-schema.ts';
import { targetSchemas } from './target-schema.ts';

// Run as a program (`npm run schema`) this file writes what editors read for completion and hints.
if (import.meta.main) {
  writeFileSync(new URL('../../config/models.schema.json', import.meta.url), modelsSchemaText());
}

/** The JSON Schema (draft 7, which editors know best) of the models file before its variables are filled in. */
export function modelsSchemaText(): string {
  const target = z.discriminatedUnion('provider', [
    targetSchemas['azure-async'],
    targetSchemas['azure-deployment'],
    targetSchemas['azure-v1'],
    targetSchemas['foundry-agent'],
  ]);
  const model = z.union([...Object.values(shortModelSchemas), longModelSchema(target)]);
  const schema = z.toJSONSchema(fileSchema(model), {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema }) => allowReference(jsonSchema),
  });
  return `${JSON.stringify(schema, null, 2)}\n`;
}

// A value like ${AZURE_DEPLOYMENT} has its final form only after the variables are filled in. zod may call this more
// than once for one schema.
function allowReference(schema: { pattern?: string | undefined }): void {
  const reference = '|\\$\\{';
  if (schema.pattern === undefined || schema.pattern.endsWith(reference)) return;
  schema.pattern = `${schema.pattern}${reference}`;
}
