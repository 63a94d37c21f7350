import type { FastifyInstance } from 'fastify';
import { refuseOtherMethods } from '../unserved-routes.ts';
import { openApiDocument } from './document.ts';
import { openApiPath } from './paths.ts';

/** `GET /openapi.json`: what there is to ask for. It is the same for everybody and tells nothing secret: no key is needed. */
export function openApiRoute(app: FastifyInstance): void {
  const text = JSON.stringify(openApiDocument);
  app.get(openApiPath, async (_request, reply) => reply.type('application/json').send(text));
  refuseOtherMethods(app, openApiPath, ['GET', 'HEAD']);
}
