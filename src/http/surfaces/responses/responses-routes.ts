import type { FastifyInstance, RouteHandlerMethod } from 'fastify';
import type { OpenInputStore } from '../../../domain/image-input.ts';
import { type DescribedPath, describePath, type JsonSchema, operationId } from '../../openapi/describe.ts';
import { callParameters } from '../../openapi/headers.ts';
import { callResponses, keyedResponses } from '../../openapi/responses.ts';
import { responsesRoots } from '../../request-path.ts';
import type { Current } from '../../surface.ts';
import { methodNotAllowed, refuseOtherMethods } from '../../unserved-routes.ts';
import { boundedUpload } from '../../uploads/watch-upload.ts';
import { createResponse } from './create-response.ts';
import { forward } from './forward.ts';
import { cancelResponse, deleteResponse, orForward, refuseInputItems, retrieveResponse } from './retrieve-response.ts';

/** `POST …/responses` on every root, and what of the API only models elsewhere can do: it has a body as well. */
export function createResponseRoute(app: FastifyInstance, current: Current, openInputs: OpenInputStore): void {
  const create = createResponse(current, openInputs);
  for (const root of responsesRoots) {
    app.post(`${root}/responses`, create);
    refuseOtherMethods(app, `${root}/responses`, ['POST']);
    app.post(`${root}/responses/:id`, forwardUpload(current));
  }
}

/** `POST …/responses/compact` and the like. */
function forwardUpload(current: Current): RouteHandlerMethod {
  return async (request, reply) => {
    const { passThrough, uploadLimits: limits } = current.config;
    if (passThrough === undefined) throw methodNotAllowed(reply, ofStored);
    const { raw, arrival } = request;
    const body = boundedUpload(raw, { limits, arrival }, raw.iterator({ destroyOnReturn: false }));
    await forward(request, reply, passThrough, body);
  };
}

const ofStored = ['GET', 'HEAD', 'DELETE'] as const;

/** What can be done with a response that is stored, on every root. */
export function storedResponseRoutes(app: FastifyInstance, current: Current): void {
  for (const root of responsesRoots) {
    const url = `${root}/responses/:id`;
    app.get(url, orForward(current, retrieveResponse(current)));
    app.delete(url, orForward(current, deleteResponse(current)));
    refuseOtherMethods(app, url, ofStored, ['POST']);
    app.post(`${url}/cancel`, orForward(current, cancelResponse(current)));
    refuseOtherMethods(app, `${url}/cancel`, ['POST']);
    app.get(`${url}/input_items`, orForward(current, refuseInputItems(current)));
    refuseOtherMethods(app, `${url}/input_items`, ['GET', 'HEAD']);
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
      parameters: callParameters,
      requestBody: { $ref: '#/components/requestBodies/Response' },
      responses: callResponses('Responded'),
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
  describePath(`${root}/responses/:id/input_items`, {
    get: {
      ...operationId(root, 'listInputItems'),
      tags: ['responses'],
      summary: 'Refused for the gateway’s own responses, whose input is not kept; forwarded for others',
      responses: keyedResponses('InputItems', [404, 502]),
    },
  }),
]);
