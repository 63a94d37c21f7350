import { z } from 'zod';

/** A schema of JSON Schema 2020-12, which is what OpenAPI 3.1 uses. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** A zod schema as JSON Schema; `input`: as a client writes it, before defaults are filled in. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'output'): JsonSchema {
  const { $schema: _dialect, '~standard': _validator, ...rest } = z.toJSONSchema(schema, { io }) as JsonSchema;
  return rest;
}

/** A path of the document, and what it holds. */
export type DescribedPath = readonly [path: string, JsonSchema];

type Operations = { readonly get?: JsonSchema; readonly post?: JsonSchema; readonly delete?: JsonSchema };

/** Describes a route's URL, with the parameters that it holds; where there is a `get`, there is a `head`. */
export function describePath(url: string, operations: Operations): DescribedPath {
  const path = documentedPath(url);
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: pathParameters[name],
    schema: { type: 'string' },
  }));
  const { get } = operations;
  const head = get && { ...get, operationId: undefined, summary: `${get.summary} (head only)`, responses: headOf(get) };
  return [path, { ...(parameters.length > 0 && { parameters }), ...operations, ...(head && { head }) }];
}

/** A route's URL in OpenAPI's spelling. */
export function documentedPath(url: string): string {
  return url
    .replaceAll('::', '\0')
    .replace(/:(\w+)/g, '{$1}')
    .replace('*', '{id}')
    .replaceAll('\0', ':');
}

const pathParameters: Readonly<Record<string, string>> = {
  model: 'The model or alias.',
  deployment: 'The model or alias, as Azure’s deployment. It takes precedence over every other way to name one.',
  id: 'The id.',
};

/** A head has the statuses of its `get`, and no body. */
function headOf({ responses }: JsonSchema): JsonSchema {
  const statuses = Object.keys(responses as object);
  return Object.fromEntries(statuses.map((status) => [status, { description: 'As with GET, without the body.' }]));
}

/** The id of an operation is there once, on the first of its paths. @param first the root of that path */
export function operationId(root: string, id: string, first = '/v1'): JsonSchema {
  return root === first ? { operationId: id } : {};
}

/** Of operations that need no key. */
export const withoutKey: JsonSchema = { security: [] };
