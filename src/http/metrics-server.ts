import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { isLoopbackHost } from './loopback-host.ts';

/** A scrape is short and rare. */
const limits = {
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8_192,
};
const maxConnections = 20;

/**
 * Serves the metrics, and nothing else, on a port of their own; no key is asked for. On loopback it answers to loopback
 * names only: a web page could read it by a name of its own that leads there. Rejects when it cannot listen.
 */
export async function startMetricsServer(
  metrics: () => Promise<string>,
  at: { readonly host: string; readonly port: number },
): Promise<Server> {
  const isLocal = isLoopbackHost(at.host.includes(':') ? `[${at.host}]` : at.host);
  const server = createServer(limits, async (request, response) => {
    const { method = '', url = '', headers } = request;
    request.resume();
    if (isLocal && !isLoopbackHost(headers.host)) return response.writeHead(403).end();
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

/** Prometheus' text format. */
export const metricsType = 'text/plain; version=0.0.4';
