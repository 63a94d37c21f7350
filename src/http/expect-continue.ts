import type { FastifyInstance } from 'fastify';

/**
 * Callers that send `expect: 100-continue` wait with their body for a word from us. They get it when the body is about to
 * be read: after their key was checked, so that a stranger's megabytes are not even sent. (Node would ask for them at
 * once.)
 */
export function expectContinue(app: FastifyInstance): void {
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response));
  app.addHook('preParsing', async (request, reply) => {
    if (/^100-continue$/i.test(request.headers.expect ?? '')) reply.raw.writeContinue();
  });
}
