import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Gateway } from '../generations/gateway.ts';
import type { Lifecycle } from './lifecycle.ts';

type Limits = {
  /** How long requests are still taken while `/readyz` already says no: load balancers need that long to notice. */
  readonly leadMs: number;
  /** How long running requests may take after that. */
  readonly limitMs: number;
  /** Ends both at once. */
  readonly hurry?: AbortSignal;
};

const sweepMs = 200;
const lastAnswersMs = 1_000;

/**
 * Ends the server so that no request fails that could have finished: readiness off, lead, no new connections, running
 * requests finish or, at the limit, are answered and then cancelled. Idle keep-alive connections are closed all along.
 */
export async function drain(
  { server, gateway, lifecycle }: { server: FastifyInstance; gateway: Gateway; lifecycle: Lifecycle },
  { leadMs, limitMs, hurry = AbortSignal.any([]) }: Limits,
): Promise<void> {
  lifecycle.phase = 'draining';
  await wait(leadMs, undefined, { signal: hurry }).catch(() => {});
  lifecycle.phase = 'closing';
  // Node closes connections that are idle now, but not those that fall idle later: they would hold the server open.
  const sweep = setInterval(() => server.server.closeIdleConnections(), sweepMs);
  const endAll = () => {
    gateway.cancelAll();
    setTimeout(() => server.server.closeAllConnections(), lastAnswersMs);
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
