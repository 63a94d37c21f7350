import type { AddressInfo } from 'node:net';
import { type FastifyError, type FastifyInstance, fastify } from 'fastify';
import { addAzureAsync } from './azure-async.ts';
import { addAzureEdits } from './azure-edits.ts';
import { resourceNotFound } from './azure-errors.ts';
import { azureHeaders } from './azure-headers.ts';
import { addAzureImages } from './azure-images.ts';
import { addFreeCalls } from './free-calls.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { addPrivateImages, createImageShelf } from './private-images.ts';
import { addAzureResponses } from './responses/azure-responses.ts';
import { sendPlain } from './send-answer.ts';
import type { SimulatedWorld } from './simulated-world.ts';
import { addSimulatorDesk, recordRequests } from './simulator-desk.ts';
import { createTokenDesk, type TokenDesk } from './token-desk.ts';
import { addTokenEndpoint } from './token-endpoint.ts';

/**
 * How to start: port 0 takes a free one, `operationMs` is how long a legacy operation, or a response in background,
 * takes, in milliseconds, and `partialMs` the pause between the events of a stream. Tokens of the managed identity live
 * `tokenSeconds`, and whoever asks for one has to send `identityHeader`.
 */
export type SimulatorOptions = {
  readonly host?: string;
  readonly port?: number;
  readonly apiKey?: string;
  readonly operationMs?: number;
  readonly partialMs?: number;
  readonly tokenSeconds?: number;
  readonly identityHeader?: string;
};

/** A running simulator. `close` ends it together with every open connection. */
export type Simulator = {
  readonly origin: string;
  readonly apiKey: string;
  readonly identityHeader: string;
  readonly ledger: Ledger;
  /** How many tokens were issued so far, and the end of all of them. */
  readonly tokens: Pick<TokenDesk, 'issued' | 'revokeAll'>;
  close(): Promise<void>;
};

const largestBody = 4 * 1024 * 1024;

/** Starts a make-believe Azure and resolves once it listens. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, apiKey = 'simulator-key', operationMs = 600, partialMs = 150 } = options;
  const { tokenSeconds = 3600, identityHeader = 'simulator-identity' } = options;
  const ledger = createLedger();
  const tokens = createTokenDesk(tokenSeconds);
  // Clients keep their connections and some scenarios never answer: closing must not wait for either.
  const app = fastify({ forceCloseConnections: true, bodyLimit: largestBody });
  addRoutes(app, { apiKey, operationMs, partialMs, ledger, shelf: createImageShelf(), tokens });
  addTokenEndpoint(app, tokens, identityHeader);
  await app.listen({ host, port });
  const address = app.server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const origin = `http://${name}:${address.port}`;
  return { origin, apiKey, identityHeader, ledger, tokens, close: () => app.close() };
}

function addRoutes(app: FastifyInstance, world: SimulatedWorld): void {
  recordRequests(app, world.ledger);
  app.addHook('onRequest', async (request, reply) => {
    if (/^\/(?:openai|api\/projects)\//.test(request.url)) reply.headers(azureHeaders());
  });
  app.setNotFoundHandler((_request, reply) => sendPlain(reply, resourceNotFound()));
  // What Fastify itself refuses (no JSON, too large, another content type) is said in Azure's words.
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const { statusCode: status = 500, code, message } = error;
    return sendPlain(reply, { status, body: { error: { message, type: 'invalid_request_error', param: null, code } } });
  });
  addSimulatorDesk(app, world.ledger);
  addAzureAsync(app, world);
  addAzureImages(app, world);
  addAzureEdits(app, world);
  addAzureResponses(app, world);
  addFreeCalls(app, world);
  addPrivateImages(app, world.shelf);
}
