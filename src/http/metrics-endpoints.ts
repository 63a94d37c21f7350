import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import { loopbackHost } from './hosts-and-origins.ts';
import { type DescribedPath, describePath } from './openapi/describe.ts';
import { keyedResponses } from './openapi/responses.ts';
import { refuseOtherMethods } from './unserved-routes.ts';

/** Prometheus' text format. */
const metricsType = 'text/plain; version=0.0.4';

/**
 * `GET /metrics`. It needs a key like every route that reveals something about consumers, and one that may use every model,
 * because the metrics name them all.
 */
export function metricsRoute(app: FastifyInstance, metrics: () => Promise<string>): void {
  app.get('/metrics', async ({ consumer }, reply) => {
    if (consumer?.models !== undefined) throw new GatewayError('not_permitted', refusal);
    return reply.type(metricsType).send(await metrics());
  });
  refuseOtherMethods(app, '/metrics', ['GET', 'HEAD']);
}

/** What the document says about this route. */
export const metricsPaths: readonly DescribedPath[] = [
  describePath('/metrics', {
    get: {
      operationId: 'getMetrics',
      tags: ['operation'],
      summary: 'Retrieves the metrics, with a key that may use every model',
      responses: keyedResponses('Metrics'),
    },
  }),
];

const refusal = 'The metrics name every model, and this key has a list of models.';

/** A scrape is short and rare. */
const limits = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8_192,
};
const maxConnections = 20;

/**
 * Serves the metrics, and nothing else, on a port of their own; no key is needed. On loopback it responds to
 * loopback names only: a web page could read it by a name of its own that leads there. Rejects when it cannot listen.
 */
export async function startMetricsServer(
  metrics: () => Promise<string>,
  at: { readonly host: string; readonly port: number },
): Promise<Server> {
  const isLocal = loopbackHost.test(at.host.includes(':') ? `[${at.host}]` : at.host);
  const server = createServer(limits, async (request, response) => {
    const { method = '', url = '', headers } = request;
    request.resume();
    if (isLocal && !loopbackHost.test(headers.host ?? '')) return response.writeHead(403).end();
    const isFound = /^\/metrics\/?(\?|$)/.test(url);
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isFound || !isRead)
      return response.writeHead(isFound ? 405 : 404, isFound ? { allow: 'GET, HEAD' } : {}).end();
    const text = await metrics().catch(() => undefined);
    if (text === undefined) response.writeHead(500).end();
    else response.writeHead(200, { 'content-type': metricsType }).end(method === 'HEAD' ? undefined : text);
  });
  server.maxConnections = maxConnections;
  server.listen(at.port, at.host);
  await once(server, 'listening');
  return server;
}
