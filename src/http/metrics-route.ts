import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import { metricsType } from './metrics-server.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';

/**
 * `GET /metrics`, in Prometheus' text format; it needs a key like every route that tells about callers, and one that may use
 * every model, because it names them all.
 */
export function metricsRoute(app: FastifyInstance, metrics: () => Promise<string>): void {
  app.get('/metrics', async ({ account }, reply) => {
    if (account?.models !== undefined) throw new GatewayError('not_permitted', refusal);
    return reply.type(metricsType).send(await metrics());
  });
  refuseOtherMethods(app, '/metrics', ['GET', 'HEAD']);
}

const refusal = 'The metrics name every model, and this key has a list of models.';
