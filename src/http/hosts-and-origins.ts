import type { Socket } from 'node:net';
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import { healthUrls } from './lifecycle.ts';
import { costHeaderInDollars, responseHeaders } from './openapi/headers.ts';
import { filesRouteUrl } from './surfaces/files/files-route.ts';

/** Connections on which a request was refused for its host: what follows there is not taken for a request. */
export const endingConnections = new WeakSet<Socket>();

const host = /^(?:\[[\da-f:.]+\]|[\w.~%-]*)(?::\d*)?$/i;

/**
 * The error for a request that does not name exactly one valid host, which two readers of a connection may take for different
 * ones (RFC 9112, 3.2). Its connection ends with the response. `undefined`: the host is valid.
 */
export function refuseHost({ raw }: FastifyRequest, reply: FastifyReply): GatewayError | undefined {
  const { httpVersion, headers, rawHeaders, socket } = raw;
  const hosts = rawHeaders.filter((text, at) => at % 2 === 0 && text.length === 4 && text.toLowerCase() === 'host');
  let problem: string | undefined;
  // Node would refuse a missing one by itself, but without a body. HTTP/1.0 knows requests without a host.
  if (headers.host === undefined) problem = httpVersion === '1.1' ? 'The request has no host header.' : undefined;
  else if (hosts.length > 1) problem = 'The request has more than one host header.';
  else if (!host.test(headers.host)) problem = 'The host header is not valid.';
  if (problem === undefined) return undefined;
  endingConnections.add(socket);
  reply.header('connection', 'close');
  return new GatewayError('invalid_request', problem);
}

/** `host` headers that name this machine; browsers cannot be made to send one of these for another name. */
export const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** They reveal nothing, or need an id that nobody can guess. */
const openUrls: readonly string[] = [...healthUrls, filesRouteUrl];

/**
 * Without keys, whatever reaches loopback may buy images, and so may any web page through the browser of its visitor: by a
 * form that needs no preflight (CSRF), or by a name of its own that it lets point to loopback (DNS rebinding).
 * @param origins those whose pages may call all the same; `'*'`: all
 */
export function refuseWebPages(app: FastifyInstance, isKeyless: () => boolean, origins: readonly string[]): void {
  app.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (!isKeyless() || openUrls.includes(routeOptions.url ?? '')) return;
    if (!loopbackHost.test(headers.host ?? '')) throw new GatewayError('forbidden_origin', foreignHost);
    const { origin } = headers;
    // Browsers leave the origin out where a page cannot read the response, such as that of an image.
    const isForeign =
      origin === undefined ? headers['sec-fetch-site'] === 'cross-site' : !isAllowed(origin, headers.host, origins);
    if (isForeign) throw new GatewayError('forbidden_origin', foreignPage);
  });
}

const foreignHost =
  'This gateway has no keys and serves only its own machine: the host must be localhost, 127.0.0.1 or [::1]. To use another name, set GATEWAY_API_KEYS.';
const foreignPage =
  'This gateway has no keys, so pages of other origins may not call it: list the origin in CORS_ORIGINS, or set GATEWAY_API_KEYS.';

function isAllowed(origin: string, host: string | undefined, origins: readonly string[]): boolean {
  const own = host?.toLowerCase();
  const isSame = [`http://${own}`, `https://${own}`].includes(origin);
  return isSame || origins.includes('*') || origins.includes(origin);
}

/**
 * Lets web pages of these origins call the gateway and read its responses; `'*'`: all.
 * @param costHeader the current name of the header with the cost
 */
export function allowOrigins(app: FastifyInstance, origins: readonly string[], costHeader: () => string): void {
  const settings = {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    maxAge: 3_600,
    // Otherwise an OPTIONS that is no preflight would get an error that is not of OpenAI's shape.
    strictPreflight: false,
  };
  const names = Object.keys(responseHeaders);
  const exposed = () => names.map((name) => (name === costHeaderInDollars ? costHeader() : name));
  app.register(cors, { delegator: (_request, done) => done(null, { ...settings, exposedHeaders: exposed() }) });
}
