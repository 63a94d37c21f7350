import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { buildConnector } from 'undici';
import { type EgressProxy, EgressProxyError } from '../domain/egress-proxy.ts';

/**
 * Connects through the proxy, where there is one. By https only, in a tunnel: the proxy learns the host's name, and sees
 * neither keys nor images. What is plain HTTP, on this machine or in this network, is dialled directly, because a proxy
 * could read the key. `timeoutMs` is the limit of the whole way: proxy, tunnel and TLS.
 */
export function egressConnector(proxy: EgressProxy | undefined, timeoutMs: number): buildConnector.connector {
  const dial = buildConnector({ allowH2: false, timeout: timeoutMs });
  if (proxy === undefined) return dial;
  return (options, done) => {
    if (options.protocol !== 'https:') return dial(options, done);
    const authority = options.port ? (options.host ?? '') : `${options.host ?? options.hostname}:443`;
    const limit = AbortSignal.timeout(timeoutMs);
    openTunnel(proxy, authority, limit).then(
      (tunnel) => {
        let isOver = false;
        const end = (...outcome: Parameters<typeof done>) => {
          limit.removeEventListener('abort', cut);
          if (!isOver) done(...outcome);
          isOver = true;
        };
        // Whoever waits for TLS is not told when the connection below it is closed.
        const cut = () => {
          tunnel.destroy();
          end(new EgressProxyError('ETIMEDOUT'), null);
        };
        limit.addEventListener('abort', cut);
        dial({ ...options, httpSocket: tunnel }, end);
      },
      (error) => done(error, null),
    );
  };
}

/**
 * A connection to `authority` (host and port) through the proxy, on which nothing was sent yet. Rejects with an
 * EgressProxyError.
 */
export function openTunnel(proxy: EgressProxy, authority: string, limit: AbortSignal): Promise<Socket> {
  const { protocol, hostname, port } = new URL(proxy.origin);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const request = (protocol === 'https:' ? https : http).request({
    method: 'CONNECT',
    path: authority,
    host: bareHost(hostname),
    port,
    headers: { host: authority, ...authorization(proxy) },
    // One connection for one tunnel, and nothing that the environment says about proxies.
    agent: false,
    signal: limit,
  });
  request.on('connect', ({ statusCode = 0 }, socket: Socket, head: Buffer) => {
    socket.on('error', () => {});
    // Whoever speaks before TLS has begun is not the upstream.
    if (statusCode >= 200 && statusCode < 300 && head.length === 0) return resolve(socket);
    socket.destroy();
    reject(new EgressProxyError(String(statusCode)));
  });
  request.on('error', (error: NodeJS.ErrnoException) => {
    reject(new EgressProxyError(limit.aborted ? 'ETIMEDOUT' : (error.code ?? error.name), error));
  });
  request.end();
  return promise;
}

function authorization({ credentials }: EgressProxy): Record<string, string> {
  if (credentials === undefined) return {};
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials.expose()).toString('base64')}` };
}

/** A host name as sockets and look-ups take it: URLs write addresses of IPv6 in brackets. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
