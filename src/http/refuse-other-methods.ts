import type { FastifyInstance, HTTPMethods } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];

/** Answers 405 with `allow` where Fastify would answer 404: the path is right, the method is not. */
export function refuseOtherMethods(app: FastifyInstance, url: string, allowed: readonly HTTPMethods[]): void {
  app.route({
    method: methods.filter((method) => !allowed.includes(method)),
    url,
    // The body of a refused request is of no interest, whatever its type.
    onRequest: async (request, reply) => {
      reply.header('allow', allowed.join(', '));
      throw new GatewayError(
        'method_not_allowed',
        `${request.method} is not allowed here; use ${allowed.join(' or ')}.`,
      );
    },
    handler: () => {},
  });
}
