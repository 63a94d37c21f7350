import type { FastifyInstance } from 'fastify';
import type { Lifecycle } from './lifecycle.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';

export const healthUrls = ['/', '/healthz', '/readyz'];

/** `/` and `/healthz`: the process is alive. `/readyz`: it should be sent requests. No key is needed. */
export function healthRoutes(app: FastifyInstance, lifecycle: Lifecycle): void {
  for (const url of ['/', '/healthz']) {
    app.get(url, async (_request, reply) => reply.type('text/plain').send('ok'));
  }
  app.get('/readyz', async (_request, reply) => {
    const isReady = lifecycle.phase === 'ready';
    return reply.code(isReady ? 200 : 503).send({ status: lifecycle.phase });
  });
  for (const url of healthUrls) refuseOtherMethods(app, url, ['GET', 'HEAD']);
}
