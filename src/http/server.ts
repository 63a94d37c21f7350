import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { OpenInputStore } from '../domain/image-input.ts';
import type { ImageStore } from '../domain/image-store.ts';
import type { RequestRecord, RequestRecorder } from '../domain/request-record.ts';
import type { Admission, Arrival } from '../generations/admission.ts';
import type { Caller } from '../generations/gateway.ts';
import { admitRequests } from './admit-requests.ts';
import { allowOrigins } from './allow-origins.ts';
import { answerHeaders, costHeaderName } from './answer-headers.ts';
import { authenticate } from './authenticate.ts';
import { closeConnectionsWhileClosing, refuseNewWorkWhileClosing } from './closing.ts';
import { expectContinue } from './expect-continue.ts';
import { frameworkError } from './framework-error.ts';
import { healthRoutes } from './health-routes.ts';
import type { KeyAccount, Payment } from './keys/key-account.ts';
import type { KeyStore } from './keys/key-store.ts';
import { limitRequests } from './keys/limit-requests.ts';
import type { Lifecycle } from './lifecycle.ts';
import { metricsRoute } from './metrics-route.ts';
import { unknownDeployment } from './model-of.ts';
import { openApiRoute } from './openapi/openapi-route.ts';
import { jsonBodyReader } from './read-json-body.ts';
import { recordRequests } from './record-requests.ts';
import { refuseConnection } from './refuse-connection.ts';
import { refuseExpectation } from './refuse-expectation.ts';
import { refuseHost } from './refuse-host.ts';
import { refuseSlowBodies } from './refuse-slow-bodies.ts';
import { refuseWebPages } from './refuse-web-pages.ts';
import { requestId } from './request-id.ts';
import type { Serving } from './serving.ts';
import { filesRoute } from './surfaces/files/files-route.ts';
import { modelsRoutes } from './surfaces/models/models-routes.ts';
import { handleEdits } from './surfaces/openai-images/edits-route.ts';
import { handleGenerations } from './surfaces/openai-images/generations-route.ts';
import { imagesRoute, refusedRoutes } from './surfaces/openai-images/images-routes.ts';
import { routedUrl } from './surfaces.ts';
import { checkCharset } from './text-encoding.ts';
import { unknownUrl } from './unknown-url.ts';
import { formOptions } from './uploads/read-form.ts';
import { maxUploadMs, refuseLongUpload } from './uploads/watch-upload.ts';
import { asGatewayError, writeError } from './write-error.ts';

declare module 'fastify' {
  interface FastifyInstance {
    lifecycle: Lifecycle;
    /** Between two interim answers to clients that need them. */
    interimMs: number;
  }
  interface FastifyRequest {
    /** Tells callers apart. */
    callerId: string;
    /** What the caller may do, and what it has used; `undefined`: no key is asked for. */
    account: KeyAccount | undefined;
    payImages: ((count: number) => Payment | undefined) | undefined;
    /** Its body, until that has arrived. */
    arrival: Arrival | undefined;
    /** Takes the permits of a generation. */
    acquire: Caller['acquire'];
  }
}

export type ServerParts = {
  /** What is in force now. */
  readonly serving: () => Serving;
  readonly admission: Admission;
  readonly keyStore: KeyStore;
  readonly lifecycle: Lifecycle;
  /** Where hosted images are; `undefined`: none are hosted. */
  readonly store: ImageStore | undefined;
  readonly recorder: RequestRecorder;
  /** Where uploads are kept while their requests last. */
  readonly openSpool: OpenInputStore;
  /** Origins whose web pages may call; `'*'`: all. */
  readonly corsOrigins: readonly string[];
  /** Addresses and networks of proxies that may say who calls, which is for the log only. */
  readonly trustedProxies: readonly string[];
  readonly interimMs: number;
  /** How long a JSON body may take to arrive, beside a second for each megabyte. */
  readonly jsonGraceMs: number;
  /** A reader of a hosted image that takes nothing for so long is dropped. */
  readonly stallMs: number;
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
};

const jsonBodyBytes = 1024 * 1024;

/** More are closed at once. It bounds what idle connections cost; what requests may cost has limits of its own. */
const maxConnections = 10_000;

/** All callers are one where no key is asked for; no key has this name. */
const anybody = '*';

/** The HTTP surface: every route, every error in OpenAI's shape, one record per request. */
export function createServer(parts: ServerParts): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: jsonBodyBytes,
    genReqId: requestId,
    trustProxy: parts.trustedProxies.length > 0 && [...parts.trustedProxies],
    // These bound how long a request may take to arrive, not how long it is worked on.
    requestTimeout: requestTimeout(parts.serving()),
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000, requireHostHeader: false },
    // Longer than the idle time of the usual load balancers, so that they close first.
    keepAliveTimeout: 65_000,
    return503OnClosing: false,
    clientErrorHandler: refuseConnection,
    rewriteUrl: ({ url = '/' }) => routedUrl(url),
    // A URL that cannot be decoded gets no further than here.
    frameworkErrors: (error, request, reply) => answerError(refuseHost(request, reply) ?? error, request, reply),
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 1024 },
  });

  app.server.maxConnections = maxConnections;
  app.server.on('checkExpectation', refuseExpectation);
  acceptJsonOnly(app);
  app.decorate('lifecycle', parts.lifecycle);
  app.decorate('interimMs', parts.interimMs);
  app.decorateRequest('callerId', '');
  app.decorateRequest('account', undefined);
  app.decorateRequest('payImages', undefined);
  app.decorateRequest('arrival', undefined);
  app.decorateRequest('acquire', undefined);
  recordRequests(app, parts.recorder);
  closeConnectionsWhileClosing(app, parts.lifecycle);
  app.setErrorHandler(answerError);
  refuseUnknownUrls(app);
  expectContinue(app);
  refuseWebPages(app, () => parts.keyStore.isOpen, parts.corsOrigins);

  if (parts.corsOrigins.length > 0) {
    allowOrigins(app, parts.corsOrigins, () => costHeaderName(parts.serving().currency));
  }
  healthRoutes(app, parts.lifecycle);
  openApiRoute(app);
  if (parts.store) filesRoute(app, parts.store, parts.stallMs);
  app.register(async (keyed) => {
    // Before the body is read: a stranger's megabytes are not worth receiving.
    keyed.addHook('onRequest', async (request) => {
      const account = authenticate(parts.keyStore, request.headers);
      request.account = account;
      request.callerId = account?.name ?? anybody;
      if (account) request.record.key = account.name;
    });
    refuseNewWorkWhileClosing(keyed, parts.lifecycle);
    refusedRoutes(keyed);
    const mayRejoin = (callerId: string) => parts.serving().gateway.mayRejoin(callerId);
    keyed.register(async (generating) => {
      limitRequests(generating, mayRejoin);
      admitRequests(generating, parts.admission, mayRejoin);
      refuseSlowBodies(generating, parts.jsonGraceMs);
      imagesRoute(generating, 'generations', handleGenerations(parts.serving));
    });
    keyed.register(async (uploading) => {
      limitRequests(uploading, mayRejoin);
      admitRequests(uploading, parts.admission, mayRejoin);
      acceptUploads(uploading);
      uploading.addHook('onRequest', async ({ raw }) => refuseLongUpload(raw, parts.serving().uploadLimits));
      imagesRoute(uploading, 'edits', handleEdits(parts.serving, parts.openSpool));
    });
    modelsRoutes(keyed, () => parts.serving().gateway.catalog);
    metricsRoute(keyed, parts.metrics);
  });
  return app;
}

/** Gives uploads the time that they need from now on. It is never less than before: an upload may be under way. */
export function allowUploads({ server }: FastifyInstance, serving: Serving): void {
  server.requestTimeout = Math.max(server.requestTimeout, requestTimeout(serving));
}

function requestTimeout({ uploadLimits }: Serving): number {
  return Math.max(300_000, maxUploadMs(uploadLimits) + 30_000);
}

/** Before the body is read: Fastify would parse it first, and might complain about that. */
function refuseUnknownUrls(app: FastifyInstance): void {
  const refuse = ({ method, originalUrl }: FastifyRequest) => {
    throw unknownUrl(method, originalUrl);
  };
  app.addHook('preParsing', async (request) => {
    if (request.is404) refuse(request);
  });
  app.setNotFoundHandler(refuse);
}

/** Fastify would hand other content types to the handler unparsed; here only JSON gets as far as a handler. */
function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, jsonBodyReader(app));
}

/** Bodies of edits are read by their route, while they arrive. */
function acceptUploads(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', async ({ headers }: FastifyRequest) =>
    checkCharset(headers['content-type']),
  );
  app.register(multipart, formOptions);
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const foreseen = unknownDeployment(error, request) ?? frameworkError(error, jsonBodyBytes) ?? error;
  // A URL that cannot be decoded is refused before any hook has run.
  const { record } = request as { record?: RequestRecord };
  if (record) record.error = foreseen;
  reply.header('x-request-id', request.id);
  const report = record?.generation?.report;
  if (report) reply.headers(answerHeaders(report, request.headers));
  return writeError(reply, asGatewayError(foreseen, request.id), report);
}
