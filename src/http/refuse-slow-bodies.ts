import type { FastifyInstance } from 'fastify';
import { watchBody } from './watch-body.ts';

/**
 * Refuses a request whose body is too slow, or needs more memory than there is. To be registered last: nothing may come
 * between the watch and the parser.
 */
export function refuseSlowBodies(app: FastifyInstance, graceMs: number): void {
  // With a callback, not a promise, so that the parser begins to read in the same tick as the watch.
  app.addHook('preParsing', (request, reply, _payload, done) => {
    const { raw, arrival } = request;
    // Most bodies have come with their headers.
    if (!raw.complete) {
      const receive = (bytes: number) => arrival?.receive(bytes);
      const endWatch = watchBody(raw, { graceMs, receive }, (error) => {
        endWatch();
        // The parser would go on to collect what is only read to be thrown away.
        raw.removeAllListeners('data');
        if (!reply.sent) reply.header('connection', 'close').send(error);
      });
      raw.once('end', endWatch);
      reply.raw.once('close', endWatch);
    }
    done();
  });
}
