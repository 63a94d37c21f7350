import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import { healthUrls } from './health-routes.ts';
import { isLoopbackHost } from './loopback-host.ts';
import { filesRouteUrl } from './surfaces/files/files-route.ts';

/** They tell nothing, or ask for an id that nobody can guess. */
const openUrls: readonly string[] = [...healthUrls, filesRouteUrl];

/**
 * While no key is asked for, whatever reaches loopback may buy images, and so may any web page through the browser of its
 * visitor: by a form that needs no preflight, or by a name of its own that it lets point to loopback (DNS rebinding).
 * @param origins those whose pages may call all the same; `'*'`: all
 */
export function refuseWebPages(app: FastifyInstance, isKeyless: () => boolean, origins: readonly string[]): void {
  app.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (!isKeyless() || openUrls.includes(routeOptions.url ?? '')) return;
    if (!isLoopbackHost(headers.host)) throw new GatewayError('forbidden_origin', foreignHost);
    if (!isOriginAllowed(headers, origins)) throw new GatewayError('forbidden_origin', foreignPage);
  });
}

const foreignHost =
  'This gateway has no keys and serves only its own machine: the host must be localhost, 127.0.0.1 or [::1]. To use another name, set GATEWAY_API_KEYS.';
const foreignPage =
  'This gateway has no keys, so pages of other origins may not call it: list the origin in CORS_ORIGINS, or set GATEWAY_API_KEYS.';

function isOriginAllowed({ origin, ...headers }: IncomingHttpHeaders, origins: readonly string[]): boolean {
  // Browsers leave the origin out where a page cannot read the response, such as that of an image.
  if (origin === undefined) return headers['sec-fetch-site'] !== 'cross-site';
  const host = headers.host?.toLowerCase();
  const isSame = [`http://${host}`, `https://${host}`].includes(origin);
  return isSame || origins.includes('*') || origins.includes(origin);
}
