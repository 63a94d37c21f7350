import type { FastifyInstance } from 'fastify';
import { shuttingDown } from '../generations/interruption.ts';
import type { Lifecycle } from './lifecycle.ts';

/** New work that still arrives, on connections that were kept alive, can go elsewhere: nothing was paid for yet. */
export function refuseNewWorkWhileClosing(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.addHook('onRequest', async ({ record }, reply) => {
    if (lifecycle.phase !== 'closing') return;
    // What it repeats may still be made, and another gateway would not know of it.
    if (record.clientRetry > 0) reply.header('x-should-retry', 'false');
    throw shuttingDown();
  });
}

/** A connection that is kept alive after its answer would delay the end by its idle time. */
export function closeConnectionsWhileClosing(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.addHook('onSend', async (_request, reply) => {
    if (lifecycle.phase === 'closing') reply.header('connection', 'close');
  });
}
