import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import type { OpenInputStore } from '../domain/image-input.ts';
import type { ImageStore } from '../domain/image-store.ts';
import type { RequestRecord, RequestRecorder } from '../domain/request-record.ts';
import type { Admission, Arrival } from '../generations/admission.ts';
import { admitRequests, requireKey } from './access.ts';
import { handleExpectations, refuseConnection } from './connections.ts';
import { asGatewayError, type ErrorForm, frameworkError, openaiErrors, spentOf, writeError } from './error-response.ts';
import { costHeaderName, generationHeaders, requestId } from './gateway-headers.ts';
import { allowOrigins, refuseHost, refuseWebPages } from './hosts-and-origins.ts';
import type { ConsumerUsage, CountedRequest } from './keys/consumer-usage.ts';
import type { KeyStore } from './keys/key-store.ts';
import { closeConnectionsWhileClosing, healthRoutes, type Lifecycle, refuseNewWorkWhileClosing } from './lifecycle.ts';
import { metricsRoute } from './metrics-endpoints.ts';
import { openApiRoute } from './openapi/document.ts';
import { recordRequests } from './record-requests.ts';
import { checkCharset, ignoreBodies, jsonBodyParser, refuseSlowBodies } from './request-body.ts';
import { routedUrl } from './request-path.ts';
import type { Current, RuntimeConfig } from './surface.ts';
import { azureErrors, operationRoutes, submitRoute } from './surfaces/azure-operations/operations-routes.ts';
import { filesRoute } from './surfaces/files/files-route.ts';
import { jobsRoutes } from './surfaces/jobs/jobs-routes.ts';
import { modelsRoutes } from './surfaces/models/models-routes.ts';
import { editsRoute, generationsRoute, refusedRoutes } from './surfaces/openai-images/images-routes.ts';
import { createResponseRoute, storedResponseRoutes } from './surfaces/responses/responses-routes.ts';
import { spendRoute } from './surfaces/spend/spend-route.ts';
import { targetsRoute } from './surfaces/targets/targets-route.ts';
import { refuseUnknownUrls } from './unserved-routes.ts';
import { formOptions } from './uploads/read-form.ts';
import { maxUploadMs, refuseLongUpload } from './uploads/watch-upload.ts';

declare module 'fastify' {
  interface FastifyInstance {
    lifecycle: Lifecycle;
    /** Between two interim responses to clients that need them. */
    interimMs: number;
  }
  interface FastifyRequest {
    /** The name of the consumer, or one for all where no key is needed. */
    consumerId: string;
    /** What the consumer may do, and what it has used; `undefined`: no key is needed. */
    consumer: ConsumerUsage | undefined;
    /** How it was counted; `undefined`: its consumer may send as many requests as it likes. */
    quota: CountedRequest | undefined;
    /** The length of the body; where the request does not say, a guess. */
    bodyBytes: number;
    /** Its body, until that has arrived. */
    arrival: Arrival | undefined;
  }
}

export type ServerParts = {
  /** The configuration that is in force now. */
  readonly current: Current;
  readonly admission: Admission;
  readonly keyStore: KeyStore;
  readonly lifecycle: Lifecycle;
  /** Where hosted images are; `undefined`: none are hosted. */
  readonly store: ImageStore | undefined;
  readonly recorder: RequestRecorder;
  /** Where uploads are kept while their requests last. */
  readonly openInputs: OpenInputStore;
  /** Origins whose web pages may call; `'*'`: all. */
  readonly corsOrigins: readonly string[];
  /** Addresses and networks of proxies whose `x-forwarded-for` is believed, which is for the log only. */
  readonly trustedProxies: readonly string[];
  readonly interimMs: number;
  /** How long a JSON body may take to arrive, beside a second for each megabyte. */
  readonly jsonGraceMs: number;
  /** A client that reads nothing of a hosted image for so long is dropped. */
  readonly stallMs: number;
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
};

/** How long the server waits for what, in milliseconds. */
export type ServerTimes = Pick<ServerParts, 'interimMs' | 'jsonGraceMs' | 'stallMs'>;

export const defaultServerTimes: ServerTimes = { interimMs: 60_000, jsonGraceMs: 10_000, stallMs: 30_000 };

const jsonBodyBytes = 1024 * 1024;

/** More are closed at once. It bounds what idle connections cost; what requests may cost has limits of its own. */
const maxConnections = 10_000;

/** The HTTP surface: every route, every error in OpenAI's shape, one record per request. */
export function createServer(parts: ServerParts): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: jsonBodyBytes,
    genReqId: requestId,
    trustProxy: parts.trustedProxies.length > 0 && [...parts.trustedProxies],
    // These bound how long a request may take to arrive, not how long it is worked on.
    requestTimeout: requestTimeout(parts.current.config),
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000, requireHostHeader: false },
    // Longer than the idle time of common load balancers, so that they close first.
    keepAliveTimeout: 65_000,
    return503OnClosing: false,
    clientErrorHandler: refuseConnection,
    rewriteUrl: routedUrl,
    // A URL that cannot be decoded gets no further than here.
    frameworkErrors: (error, request, reply) =>
      sendErrorAs(openaiErrors)(refuseHost(request, reply) ?? error, request, reply),
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 1024 },
  });

  app.server.maxConnections = maxConnections;
  acceptJsonOnly(app);
  app.decorate('lifecycle', parts.lifecycle);
  app.decorate('interimMs', parts.interimMs);
  app.decorateRequest('consumerId', '');
  app.decorateRequest('consumer', undefined);
  app.decorateRequest('quota', undefined);
  app.decorateRequest('bodyBytes', 0);
  app.decorateRequest('arrival', undefined);
  recordRequests(app, parts.recorder);
  closeConnectionsWhileClosing(app, parts.lifecycle);
  app.setErrorHandler(sendErrorAs(openaiErrors));
  refuseUnknownUrls(app);
  handleExpectations(app);
  refuseWebPages(app, () => parts.keyStore.isOpen, parts.corsOrigins);

  if (parts.corsOrigins.length > 0) {
    allowOrigins(app, parts.corsOrigins, () => costHeaderName(parts.current.config.currency));
  }
  healthRoutes(app, parts.lifecycle);
  openApiRoute(app);
  if (parts.store) filesRoute(app, parts.store, parts.stallMs);
  app.register(async (keyed) => {
    requireKey(keyed, parts.keyStore);
    refuseNewWorkWhileClosing(keyed, parts.lifecycle);
    refusedRoutes(keyed);
    const mayRejoin = (consumerId: string) => parts.current.config.gateway.mayRejoin(consumerId);
    keyed.register(async (generating) => {
      admitRequests(generating, parts.admission, mayRejoin);
      refuseSlowBodies(generating, parts.jsonGraceMs);
      generationsRoute(generating, parts.current);
      generating.register(async (submitting) => {
        submitting.setErrorHandler(sendErrorAs(azureErrors));
        submitRoute(submitting, parts.current);
      });
    });
    keyed.register(async (uploading) => {
      admitRequests(uploading, parts.admission, mayRejoin);
      acceptUploads(uploading);
      uploading.addHook('onRequest', async ({ raw }) => refuseLongUpload(raw, parts.current.config.uploadLimits));
      editsRoute(uploading, parts.current, parts.openInputs);
    });
    keyed.register(async (responding) => {
      admitRequests(responding, parts.admission, mayRejoin);
      acceptStreamedJson(responding);
      responding.addHook('onRequest', async ({ raw }) => refuseLongUpload(raw, parts.current.config.uploadLimits));
      createResponseRoute(responding, parts.current, parts.openInputs);
    });
    keyed.register(async (retrieving) => {
      ignoreBodies(retrieving);
      storedResponseRoutes(retrieving, parts.current);
    });
    keyed.register(async (polling) => {
      polling.setErrorHandler(sendErrorAs(azureErrors));
      operationRoutes(polling, parts.current);
    });
    keyed.register(async (retrieving) => jobsRoutes(retrieving, parts.current, parts.stallMs));
    modelsRoutes(keyed, () => parts.current.config.gateway.catalog);
    spendRoute(keyed, parts.current);
    targetsRoute(keyed, parts.current);
    metricsRoute(keyed, parts.metrics);
  });
  return app;
}

/** Gives uploads the time that they need from now on. It is never less than before: an upload may be under way. */
export function allowUploads({ server }: FastifyInstance, config: RuntimeConfig): void {
  server.requestTimeout = Math.max(server.requestTimeout, requestTimeout(config));
}

/** Where a server that listens on loopback only can be reached; the headers of a request are not asked for that. */
export function loopbackUrl({ server }: FastifyInstance): string | undefined {
  const address = server.address();
  if (address === null || typeof address === 'string') return undefined;
  if (address.address === '::1') return `http://[::1]:${address.port}`;
  return address.address.startsWith('127.') ? `http://${address.address}:${address.port}` : undefined;
}

function requestTimeout({ uploadLimits }: RuntimeConfig): number {
  return Math.max(300_000, maxUploadMs(uploadLimits) + 30_000);
}

/** Fastify would hand other content types to the handler unparsed; here only JSON gets as far as a handler. */
function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, jsonBodyParser(app));
}

/** Bodies of edits are read by their route, while they arrive. */
function acceptUploads(app: FastifyInstance): void {
  acceptStreamedJson(app);
  app.register(multipart, formOptions);
}

/** The same of JSON alone. */
function acceptStreamedJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', async ({ headers }: FastifyRequest) =>
    checkCharset(headers['content-type']),
  );
}

function sendErrorAs(form: ErrorForm) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const foreseen = unknownDeployment(error, request) ?? frameworkError(error, jsonBodyBytes) ?? error;
    // A URL that cannot be decoded is refused before any hook has run.
    const { record } = request as { record?: RequestRecord };
    if (record) record.error = foreseen;
    reply.header('x-request-id', request.id);
    const report = record?.generation?.report;
    if (report) reply.headers(generationHeaders(report, request));
    return writeError(reply, asGatewayError(foreseen, request.id), record && spentOf(record), form);
  };
}

/** `model_not_found` as Azure's clients expect it where the path names a deployment; `undefined` for all else. */
function unknownDeployment(error: unknown, { params }: FastifyRequest): GatewayError | undefined {
  if (!(error instanceof GatewayError) || error.kind !== 'model_not_found') return undefined;
  if ((params as { deployment?: string }).deployment === undefined) return undefined;
  return new GatewayError('deployment_not_found', error.message, { param: 'model' });
}
