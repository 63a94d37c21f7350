import type { FastifyInstance } from 'fastify';
import type { OpenInputStore } from '../../../domain/image-input.ts';
import { type DescribedPath, describePath, type JsonSchema, operationId } from '../../openapi/describe.ts';
import { parameterLinks } from '../../openapi/headers.ts';
import { imageResponses, keyedResponses } from '../../openapi/responses.ts';
import { responsesRoots } from '../../request-path.ts';
import type { Current } from '../../surface.ts';
import { refuseOtherMethods, refuseRoute } from '../../unserved-routes.ts';
import { createResponse } from './create-response.ts';
import { cancelResponse, deleteResponse, retrieveResponse } from './retrieve-response.ts';

/** `POST …/responses` on every root. */
export function createResponseRoute(app: FastifyInstance, current: Current, openInputs: OpenInputStore): void {
  const handler = createResponse(current, openInputs);
  for (const root of responsesRoots) {
    app.post(`${root}/responses`, handler);
    refuseOtherMethods(app, `${root}/responses`, ['POST']);
  }
}

/** What can be done with a response that is stored, on every root. */
export function storedResponseRoutes(app: FastifyInstance, current: Current): void {
  for (const root of responsesRoots) {
    const url = `${root}/responses/:id`;
    app.get(url, retrieveResponse(current));
    app.delete(url, deleteResponse(current));
    refuseOtherMethods(app, url, ['GET', 'HEAD', 'DELETE']);
    app.post(`${url}/cancel`, cancelResponse(current));
    refuseOtherMethods(app, `${url}/cancel`, ['POST']);
    refuseRoute(app, `${url}/input_items`, [
      'unsupported_endpoint',
      'The items of the input are not kept. The response itself tells what it was asked for.',
    ]);
  }
}

const query = (name: string, description: string, schema: JsonSchema) => ({ name, in: 'query', description, schema });

const retrieval = [
  query('stream', 'Respond with the events of the response.', { type: 'boolean' }),
  query('starting_after', 'Leave out events up to this number.', { type: 'integer', minimum: 0 }),
];

/** What the document says about these routes. */
export const responsesPaths: readonly DescribedPath[] = responsesRoots.flatMap((root) => [
  describePath(`${root}/responses`, {
    post: {
      ...operationId(root, 'createResponse'),
      tags: ['responses'],
      summary: 'Makes a response that has one image',
      parameters: parameterLinks,
      requestBody: { $ref: '#/components/requestBodies/Response' },
      responses: imageResponses('Responded'),
    },
  }),
  describePath(`${root}/responses/:id`, {
    get: {
      ...operationId(root, 'getResponse'),
      tags: ['responses'],
      summary: 'Retrieves a response, or its events',
      parameters: retrieval,
      responses: keyedResponses('Responded', [404, 410, 503, 507]),
    },
    delete: {
      ...operationId(root, 'deleteResponse'),
      tags: ['responses'],
      summary: 'Deletes a response and its image',
      responses: keyedResponses('DeletedResponse', [404, 409]),
    },
  }),
  describePath(`${root}/responses/:id/cancel`, {
    post: {
      ...operationId(root, 'cancelResponse'),
      tags: ['responses'],
      summary: 'Cancels a response that is made in the background',
      responses: keyedResponses('Responded', [404, 410, 503, 507]),
    },
  }),
]);
