import type { FastifyInstance } from 'fastify';
import type { OpenInputStore } from '../../../domain/image-input.ts';
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
