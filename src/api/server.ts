import type { IncomingMessage, ServerResponse } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import type { RequestEnd, RequestRecord, RequestRecorder } from '../domain/request-record.ts';
import type { Secret } from '../domain/secret.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { answerHeaders } from './answer-headers.ts';
import { createAuthenticate } from './authenticate.ts';
import { frameworkError } from './framework-error.ts';
import { healthRoutes } from './health-routes.ts';
import type { Lifecycle } from './lifecycle.ts';
import { metricsRoute } from './metrics-route.ts';
import { generationsRoute } from './openai/generations-route.ts';
import { modelsRoutes } from './openai/models-routes.ts';
import { noteRequest, refuseConnection } from './refuse-connection.ts';
import { refuseExpectation } from './refuse-expectation.ts';
import { requestId } from './request-id.ts';
import { asGatewayError, writeError } from './write-error.ts';

declare module 'fastify' {
  interface FastifyRequest {
    record: RequestRecord;
  }
}

export type ServerParts = {
  readonly gateway: Gateway;
  readonly gatewayKeys: readonly Secret[];
  readonly lifecycle: Lifecycle;
  readonly recorder: RequestRecorder;
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
};

const jsonBodyBytes = 1024 * 1024;

/** The HTTP surface: every route, every error in OpenAI's shape, one record per request. */
export function createServer(parts: ServerParts): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: jsonBodyBytes,
    genReqId: requestId,
    // These bound how long a request may take to arrive, not how long it is worked on.
    requestTimeout: 300_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000, requireHostHeader: false },
    // Longer than the idle time of the usual load balancers, so that they close first.
    keepAliveTimeout: 65_000,
    return503OnClosing: false,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => answerError(error, request, reply),
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 1024 },
  });

  app.server.on('checkExpectation', refuseExpectation);
  acceptJsonOnly(app);
  recordRequests(app, parts.recorder);
  closeConnectionsWhileClosing(app, parts.lifecycle);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(() => {
    throw new GatewayError('unknown_url', 'There is nothing at this URL.');
  });

  healthRoutes(app, parts.lifecycle);
  app.register(async (keyed) => {
    const authenticate = createAuthenticate(parts.gatewayKeys);
    // Before the body is read: a stranger's megabytes are not worth receiving.
    keyed.addHook('onRequest', async (request) => authenticate(request.headers));
    refuseNewWorkWhileClosing(keyed, parts.lifecycle);
    generationsRoute(keyed, parts.gateway);
    modelsRoutes(keyed, parts.gateway.catalog);
    metricsRoute(keyed, parts.metrics);
  });
  return app;
}

/** Fastify would hand other content types to the handler unparsed; here only JSON gets as far as a handler. */
function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
}

function recordRequests(app: FastifyInstance, recorder: RequestRecorder): void {
  app.decorateRequest('record', null as unknown as RequestRecord);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    const record = newRecord(request);
    request.record = record;
    noteRequest(request.raw, reply.raw);
    recorder.requestStarted();
    reply.raw.once('close', () => recorder.requestEnded(record, requestEnd(reply.raw, record)));
    requireHost(request.raw);
  });
}

/** Node would refuse it by itself, but without a body (RFC 9112, 3.2). */
function requireHost({ httpVersion, headers }: IncomingMessage): void {
  if (httpVersion === '1.1' && headers.host === undefined) {
    throw new GatewayError('invalid_request', 'The request has no host header.');
  }
}

/** `record.error` is set before we tear a connection; without it, the other side has closed it. 499 is nginx's word. */
function requestEnd(response: ServerResponse, record: RequestRecord): RequestEnd {
  if (response.writableFinished) return { how: 'answered', status: response.statusCode };
  return record.error === undefined ? { how: 'left', status: 499 } : { how: 'torn', status: response.statusCode };
}

function newRecord(request: FastifyRequest): RequestRecord {
  const retries = request.headers['x-stainless-retry-count'];
  return {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    startedAt: performance.now(),
    clientRetry: typeof retries === 'string' && /^\d{1,3}$/.test(retries) ? Number(retries) : 0,
    images: 0,
    bytesOut: 0,
  };
}

/** New work that still arrives, on connections that were kept alive, can go elsewhere: nothing was paid for yet. */
function refuseNewWorkWhileClosing(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.addHook('onRequest', async () => {
    if (lifecycle.phase !== 'closing') return;
    throw new GatewayError('overloaded', 'The gateway is shutting down. Nothing was sent to the image service.', {
      retryAfterMs: 1_000,
    });
  });
}

/** A connection that is kept alive after its answer would delay the end by its idle time. */
function closeConnectionsWhileClosing(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.addHook('onSend', async (_request, reply) => {
    if (lifecycle.phase === 'closing') reply.header('connection', 'close');
  });
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const foreseen = frameworkError(error, jsonBodyBytes) ?? error;
  // A URL that cannot be decoded is refused before any hook has run.
  const { record } = request as { record?: RequestRecord };
  if (record) record.error = foreseen;
  reply.header('x-request-id', request.id);
  if (record?.generation) reply.headers(answerHeaders(record.generation));
  return writeError(reply, asGatewayError(foreseen, request.id), { sent: record?.generation?.sent ?? false });
}
