import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type FastifyError, type FastifyInstance, fastify } from 'fastify';
import { addAzureAsync } from './azure-async.ts';
import { resourceNotFound } from './azure-errors.ts';
import { addAzureEdits, addAzureImages } from './azure-images.ts';
import { addFlux } from './flux.ts';
import { addFreeCalls } from './free-calls.ts';
import { addLedgerEndpoints, createLedger, type Ledger, recordRequests } from './ledger.ts';
import { addMai } from './mai.ts';
import { addTokenEndpoint, createTokenStore, type TokenStore } from './managed-identity.ts';
import { addPrivateImages, createImageStore } from './private-images.ts';
import { type QuotaOptions, Quotas } from './quota.ts';
import type { SimulatorState } from './request-hooks.ts';
import { addAzureResponses } from './responses/azure-responses.ts';
import { sendPlain } from './send-response.ts';

/**
 * How to start: port 0 takes a free one, `operationMs` is how long a legacy operation, or a response in background,
 * takes, in milliseconds, and `partialMs` the pause between the events of a stream. Tokens of the managed identity live
 * `tokenSeconds`, and a request for one must send `identityHeader`. Without `quotas` there is no limit. With `projectKeys` the
 * paths of projects accept the key, as those of Azure do not: for a demo that has no identity.
 */
export type SimulatorOptions = {
  readonly host?: string;
  readonly port?: number;
  readonly apiKey?: string;
  readonly operationMs?: number;
  readonly partialMs?: number;
  readonly tokenSeconds?: number;
  readonly identityHeader?: string;
  readonly quotas?: readonly QuotaOptions[];
  readonly projectKeys?: boolean;
};

/** A running simulator. `close` ends it together with every open connection. */
export type Simulator = {
  readonly origin: string;
  readonly apiKey: string;
  readonly identityHeader: string;
  readonly ledger: Ledger;
  /** How many tokens were issued so far, and the end of all of them. */
  readonly tokens: Pick<TokenStore, 'issued' | 'revokeAll'>;
  readonly quotas: Pick<Quotas, 'refused'>;
  close(): Promise<void>;
};

const largestBody = 4 * 1024 * 1024;

/** Starts a simulated Azure and resolves once it listens. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, apiKey = 'simulator-key', operationMs = 600, partialMs = 150 } = options;
  const { tokenSeconds = 3600, identityHeader = 'simulator-identity', projectKeys = false } = options;
  const ledger = createLedger();
  const tokens = createTokenStore(tokenSeconds);
  const quotas = new Quotas(options.quotas ?? []);
  // Clients keep their connections and some scenarios never respond: closing must not wait for either.
  const app = fastify({ forceCloseConnections: true, bodyLimit: largestBody });
  const images = createImageStore();
  addRoutes(app, { apiKey, operationMs, partialMs, ledger, images, tokens, quotas, hasProjectKeys: projectKeys });
  addTokenEndpoint(app, tokens, identityHeader);
  await app.listen({ host, port });
  const address = app.server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const origin = `http://${name}:${address.port}`;
  return { origin, apiKey, identityHeader, ledger, tokens, quotas, close: () => app.close() };
}

function addRoutes(app: FastifyInstance, state: SimulatorState): void {
  recordRequests(app, state.ledger);
  app.addHook('onRequest', async (request, reply) => {
    if (/^\/(?:openai|api\/projects|mai|providers)\//.test(request.url)) reply.headers(azureHeaders());
  });
  app.setNotFoundHandler((_request, reply) => sendPlain(reply, resourceNotFound()));
  // What Fastify itself refuses (no JSON, too large, another content type) is refused in Azure's format.
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const { statusCode: status = 500, code, message } = error;
    return sendPlain(reply, { status, body: { error: { message, type: 'invalid_request_error', param: null, code } } });
  });
  addLedgerEndpoints(app, state.ledger);
  addAzureAsync(app, state);
  addAzureImages(app, state);
  addAzureEdits(app, state);
  addMai(app, state);
  addFlux(app, state);
  addAzureResponses(app, state);
  addFreeCalls(app, state);
  addPrivateImages(app, state.images);
}

/** The headers that come with every Azure response, with fresh request ids. */
function azureHeaders(): Record<string, string> {
  const requestId = randomUUID();
  return {
    'apim-request-id': requestId,
    'x-request-id': randomUUID(),
    'x-ms-request-id': requestId,
    'x-ms-client-request-id': requestId,
    'x-ms-region': 'Simulated Central',
    'x-ms-rai-invoked': 'true',
    'x-envoy-upstream-service-time': '42',
    'x-ratelimit-limit-requests': '1000000',
    'x-ratelimit-remaining-requests': '999999',
    'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
    'x-content-type-options': 'nosniff',
  };
}
