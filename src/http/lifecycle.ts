import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Gateway } from '../generations/gateway.ts';
import { shuttingDown } from '../generations/interruption.ts';
import { type DescribedPath, describePath, withoutKey } from './openapi/describe.ts';
import { openResponses, readinessResponses } from './openapi/responses.ts';
import { refuseOtherMethods } from './unserved-routes.ts';

/** `/readyz` is 200 in `ready` only. In `closing` no new work is taken. */
export type Phase = 'starting' | 'ready' | 'draining' | 'closing';

/** Where the process stands. */
export type Lifecycle = { phase: Phase };

export const healthUrls = ['/', '/healthz', '/readyz'];

/** `/` and `/healthz`: the process is alive. `/readyz`: send it requests. Neither needs a key. */
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

const alive = {
  ...withoutKey,
  tags: ['operation'],
  summary: 'Reports that the process is alive',
  responses: openResponses('Alive'),
};

/** What the document says about these routes. */
export const healthPaths: readonly DescribedPath[] = [
  describePath('/', { get: alive }),
  describePath('/healthz', { get: { operationId: 'getHealth', ...alive } }),
  describePath('/readyz', {
    get: {
      ...withoutKey,
      operationId: 'getReadiness',
      tags: ['operation'],
      summary: 'Reports whether to send requests here',
      responses: readinessResponses(),
    },
  }),
];

/** New work still arrives on connections that were kept alive. It can go elsewhere: nothing was paid for yet. */
export function refuseNewWorkWhileClosing(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.addHook('onRequest', async ({ record }, reply) => {
    if (lifecycle.phase !== 'closing') return;
    // The original of a retry may still be running here, and another gateway would not know of it.
    if (record.clientRetry > 0) reply.header('x-should-retry', 'false');
    throw shuttingDown();
  });
}

/** A connection that is kept alive after its response would delay the end by its idle time. */
export function closeConnectionsWhileClosing(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.addHook('onSend', async (_request, reply) => {
    if (lifecycle.phase === 'closing') reply.header('connection', 'close');
  });
}

type DrainLimits = {
  /** How long requests are still taken while `/readyz` is 503 already: load balancers need that long to notice. */
  readonly leadMs: number;
  /** How long requests in flight may take after that. */
  readonly limitMs: number;
  /** Ends both at once. */
  readonly hurry?: AbortSignal;
};

const sweepMs = 200;
const lastResponsesMs = 1_000;

/**
 * Stops the server so that no request fails that could have finished: readiness off, lead, no new connections; requests in
 * flight finish or, at the limit, are cancelled and get their error response. Idle connections are closed all along.
 */
export async function drain(
  { server, gateway, lifecycle }: { server: FastifyInstance; gateway: Gateway; lifecycle: Lifecycle },
  { leadMs, limitMs, hurry = AbortSignal.any([]) }: DrainLimits,
): Promise<void> {
  lifecycle.phase = 'draining';
  await wait(leadMs, undefined, { signal: hurry }).catch(() => {});
  lifecycle.phase = 'closing';
  gateway.parkOrphans();
  // Node closes connections that are idle now, but not those that fall idle later: they would hold the server open.
  const sweep = setInterval(() => server.server.closeIdleConnections(), sweepMs);
  const endAll = () => {
    gateway.cancelAll();
    setTimeout(() => server.server.closeAllConnections(), lastResponsesMs);
  };
  const limit = setTimeout(endAll, limitMs);
  if (hurry.aborted) endAll();
  hurry.addEventListener('abort', endAll);
  try {
    await server.close();
  } finally {
    clearInterval(sweep);
    clearTimeout(limit);
    hurry.removeEventListener('abort', endAll);
  }
}
