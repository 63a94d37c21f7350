import { z } from 'zod';
import { type DescribedPath, describePath, type JsonSchema, jsonSchema, operationId } from '../../openapi/describe.ts';
import { callParameters, headerLinks, parameterLinks } from '../../openapi/headers.ts';
import { errors, jsonResponse, responseLink } from '../../openapi/responses.ts';
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
  OperationDeleted: { description: 'The operation is no more.', headers: headerLinks([]) },
  AzureError: jsonResponse('An error in Azure’s form.', 'AzureError', [
    'x-ms-error-code',
    'retry-after',
    'retry-after-ms',
    'x-should-retry',
    'www-authenticate',
    'cache-control',
  ]),
};

/** Requests that are refused before they reach a route get OpenAI's form of errors. */
const failures = (...statuses: readonly number[]): JsonSchema => ({
  ...errors([400, 408, 417, 431]),
  ...Object.fromEntries([401, 403, 404, 500, 503, ...statuses].map((status) => [status, responseLink('AzureError')])),
});

const common = { tags: ['operations'], deprecated: true };
const idOn = (root: string, id: string) => operationId(root, id, operationRoots[0]);

/** What the document says about Azure's first API for images. */
export const operationsPaths: readonly DescribedPath[] = operationRoots.flatMap((root) => [
  describePath(`${root}${submitPath}`, {
    post: {
      ...idOn(root, 'submitOperation'),
      ...common,
      summary: 'Submits a request for images',
      parameters: [...callParameters, ...parameterLinks('OperationId', 'ClientRequestId')],
      requestBody: { $ref: '#/components/requestBodies/Generation' },
      responses: { 202: responseLink('OperationAccepted'), ...failures(400, 408, 413, 415, 429) },
    },
  }),
  describePath(`${root}${operationPath}`, {
    get: {
      ...idOn(root, 'getOperation'),
      ...common,
      summary: 'Polls an operation',
      parameters: parameterLinks('RequestId', 'ApiVersion'),
      responses: { 200: responseLink('Operation'), ...failures() },
    },
    delete: {
      ...idOn(root, 'deleteOperation'),
      ...common,
      summary: 'Deletes an operation that has ended, and its images',
      parameters: parameterLinks('RequestId', 'ApiVersion'),
      responses: { 204: responseLink('OperationDeleted'), ...failures(409) },
    },
  }),
]);
