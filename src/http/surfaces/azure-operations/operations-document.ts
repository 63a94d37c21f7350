import { z } from 'zod';
import { type DescribedPath, describePath, type JsonSchema, jsonSchema } from '../../openapi/describe.ts';
import { errorStatuses, jsonResponse, responseLink } from '../../openapi/responses.ts';
import { operationPath, operationRoots, submitPath } from './operations-routes.ts';

const seconds = z.int().describe('Unix seconds.');
const error = z.object({ code: z.string(), message: z.string(), target: z.string().optional() });
const statuses = ['notRunning', 'running', 'succeeded', 'canceled', 'failed'] as const;
const image = z.looseObject({ url: z.string().optional(), b64_json: z.string().optional() });

export const operationSchemas: Readonly<Record<string, JsonSchema>> = {
  OperationAccepted: jsonSchema(z.object({ id: z.string(), status: z.enum(statuses) })),
  Operation: jsonSchema(
    z.object({
      id: z.string(),
      status: z.enum(statuses),
      created: seconds,
      expires: seconds.optional(),
      result: z.object({ created: seconds, data: z.array(image) }).optional(),
      error: error.optional(),
    }),
  ),
  AzureError: jsonSchema(z.object({ error })),
};

export const operationResponses: Readonly<Record<string, JsonSchema>> = {
  OperationAccepted: jsonResponse('The operation.', 'OperationAccepted', [
    'operation-location',
    'retry-after',
    'cache-control',
  ]),
  Operation: jsonResponse('The operation.', 'Operation', ['retry-after', 'cache-control']),
  OperationDeleted: { description: 'The operation is no more.' },
  AzureError: jsonResponse('An error in Azure’s form.', 'AzureError', [
    'x-ms-error-code',
    'retry-after',
    'retry-after-ms',
    'x-should-retry',
    'www-authenticate',
    'cache-control',
  ]),
};

const failures = Object.fromEntries(errorStatuses.map((status) => [status, responseLink('AzureError')]));
const common = { tags: ['operations'], deprecated: true };

/** What the document says about Azure's first API for images. */
export const operationsPaths: readonly DescribedPath[] = operationRoots.flatMap((root) => [
  describePath(`${root}${submitPath}`, {
    post: {
      ...common,
      summary: 'Submits a request for images',
      requestBody: { $ref: '#/components/requestBodies/Generation' },
      responses: { 202: responseLink('OperationAccepted'), ...failures },
    },
  }),
  describePath(`${root}${operationPath}`, {
    get: { ...common, summary: 'Polls an operation', responses: { 200: responseLink('Operation'), ...failures } },
    delete: {
      ...common,
      summary: 'Deletes an operation that has ended, and its images',
      responses: { 204: responseLink('OperationDeleted'), ...failures },
    },
  }),
]);
