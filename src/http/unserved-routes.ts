import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { nearestWord } from '../codec/nearest-word.ts';
import { type ErrorKind, GatewayError } from '../domain/gateway-error.ts';
import { splitTarget } from './request-path.ts';

/** Responds with 404 before the body is read: Fastify would parse it first, and might complain about that. */
export function refuseUnknownUrls(app: FastifyInstance): void {
  const refuse = ({ method, originalUrl }: FastifyRequest) => {
    throw unknownUrl(method, originalUrl);
  };
  app.addHook('preParsing', async (request) => {
    if (request.is404) refuse(request);
  });
  app.setNotFoundHandler(refuse);
}

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];

/**
 * Responds with 405 and `allow` where Fastify would respond with 404: the path is right, the method is not.
 * @param unlisted methods with a route of their own that are not always allowed
 */
export function refuseOtherMethods(
  app: FastifyInstance,
  url: string,
  allowed: readonly HTTPMethods[],
  unlisted: readonly HTTPMethods[] = [],
): void {
  app.route({
    method: methods.filter((method) => !allowed.includes(method) && !unlisted.includes(method)),
    url,
    // The body of a refused request is of no interest, whatever its type.
    onRequest: async (_request, reply) => {
      throw methodNotAllowed(reply, allowed);
    },
    handler: () => {},
  });
}

/** The error for a wrong method. Its response says which ones are allowed. */
export function methodNotAllowed(reply: FastifyReply, allowed: readonly HTTPMethods[]): GatewayError {
  reply.header('allow', allowed.join(', '));
  const message = `${reply.request.method} is not allowed here; use ${allowed.join(' or ')}.`;
  return new GatewayError('method_not_allowed', message);
}

/** Refuses all requests for a path that clients of OpenAI or Azure know, before their body is looked at. */
export function refuseRoute(app: FastifyInstance, url: string, [kind, message]: readonly [ErrorKind, string]): void {
  app.all(url, {
    onRequest: async () => {
      throw new GatewayError(kind, message);
    },
    handler: () => {},
  });
}

const generations = '/v1/images/generations';
const edits = '/v1/images/edits';
const responses = '/v1/responses';

/** What a segment of a path was meant to lead to. */
const urls: Readonly<Record<string, string>> = {
  generations,
  edits,
  // No model makes them; an edit comes nearest.
  variations: edits,
  images: generations,
  models: '/v1/models',
  responses,
  healthz: '/healthz',
  readyz: '/readyz',
  metrics: '/metrics',
};

/** The other APIs of OpenAI and Azure, to which clients send with the same base URL. */
const otherApis = new Set([
  ...['chat', 'completions', 'embeddings', 'messages', 'audio', 'realtime', 'moderations'],
  ...['videos', 'assistants', 'threads', 'conversations'],
]);

const maxSegments = 16;
const maxShown = 100;

/** The error for a path that is not served. It names the nearest one that is. */
export function unknownUrl(method: string, target: string): GatewayError {
  const [path = ''] = splitTarget(target).path.split('#');
  return new GatewayError('unknown_url', `Unknown URL: ${method} ${shown(path)}. ${advice(method, path)}`);
}

function advice(method: string, path: string): string {
  const segments = path.toLowerCase().split('/').slice(-maxSegments);
  if (segments.some((segment) => otherApis.has(segment))) {
    return `This gateway serves images only: use ${generations}, ${edits} or ${responses}.`;
  }
  const words = segments.map((segment) => nearestWord(segment, Object.keys(urls)));
  const word = words.findLast((found) => found !== undefined) ?? (method === 'POST' ? 'generations' : 'models');
  return `Did you mean ${withModel(path, urls[word] ?? generations)}?`;
}

/** Clients that name the model in the path see where it stands. */
function withModel(path: string, url: string): string {
  if (!url.startsWith('/v1/')) return url;
  const openai = `${path.startsWith('/m/') ? '/m/{model}' : ''}${url}`;
  const isDeployment = /\/deployments(?:\/|$)/.test(path) && url.startsWith('/v1/images/');
  return isDeployment ? `${openai.replace('/v1', '/openai/deployments/{model}')} or ${openai}` : openai;
}

/** Printable ASCII and of bounded length, because clients send what they like. Node gives its bytes as characters. */
function shown(path: string): string {
  const escaped = path
    .slice(0, maxShown)
    .replace(/[^!-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
  return path.length > maxShown ? `${escaped}…` : escaped;
}
