import type { FastifyInstance } from 'fastify';
import { metricsType } from './metrics-server.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';

/** `GET /metrics`, in Prometheus' text format; it needs a key like every route that tells about callers. */
export function metricsRoute(app: FastifyInstance, metrics: () => Promise<string>): void {
  app.get('/metrics', async (_request, reply) => reply.type(metricsType).send(await metrics()));
  refuseOtherMethods(app, '/metrics', ['GET', 'HEAD']);
}
