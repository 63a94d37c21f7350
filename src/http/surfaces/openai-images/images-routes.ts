import type { FastifyInstance, RouteHandlerMethod } from 'fastify';
import { type ErrorKind, GatewayError } from '../../../domain/gateway-error.ts';
import { refuseOtherMethods } from '../../refuse-other-methods.ts';
import { imagesRoots } from '../../surfaces.ts';

/** `POST …/images/{operation}` on every surface. */
export function imagesRoute(app: FastifyInstance, operation: string, handler: RouteHandlerMethod): void {
  for (const root of imagesRoots) {
    const url = `${root}/images/${operation}`;
    app.post(url, handler);
    refuseOtherMethods(app, url, ['POST']);
  }
}

/** What OpenAI or Azure had, and this gateway has not. Said before the body is looked at, whatever its type. */
export function refusedRoutes(app: FastifyInstance): void {
  for (const root of imagesRoots) {
    refuse(app, `${root}/images/variations`, [
      'unsupported_operation',
      "Variations are not supported: no Azure model makes them. Use 'images/edits' with a prompt.",
    ]);
  }
  for (const prefix of ['', '/m/:model']) {
    // Two colons, because one would begin a parameter.
    refuse(app, `${prefix}/openai/images/generations::submit`, [
      'unsupported_endpoint',
      "The asynchronous submit and poll flow is not offered here. Use 'images/generations', which waits for the image.",
    ]);
  }
}

function refuse(app: FastifyInstance, url: string, [kind, message]: readonly [ErrorKind, string]): void {
  app.all(url, {
    onRequest: async () => {
      throw new GatewayError(kind, message);
    },
    handler: () => {},
  });
}
