import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { PlainResponse } from './azure-errors.ts';
import { sendPlain } from './send-response.ts';

/** A token as it is handed out. `expiresAt` is in milliseconds since 1970. */
type IssuedToken = { readonly text: string; readonly expiresAt: number };

/** The simulated managed identity: the tokens it has issued, each for one resource. */
export type TokenStore = {
  /** How many tokens there have been so far. */
  readonly issued: number;
  issue(resource: string): IssuedToken;
  /** Says whether this is a token for one of these resources, neither expired nor revoked. */
  accepts(token: string | undefined, resources: readonly string[]): boolean;
  revokeAll(): void;
};

const keptTokens = 10_000;

/** Opens a tokens whose tokens live so many seconds. */
export function createTokenStore(tokenSeconds: number): TokenStore {
  const tokens = new Map<string, { readonly resource: string; readonly expiresAt: number }>();
  let issued = 0;
  return {
    get issued() {
      return issued;
    },
    issue(resource) {
      const text = randomBytes(48).toString('base64url');
      const expiresAt = Date.now() + tokenSeconds * 1000;
      // A resource is the same with and without a slash at its end.
      tokens.set(text, { resource: resource.replace(/\/$/, ''), expiresAt });
      const oldest = tokens.keys().next().value;
      if (tokens.size > keptTokens && oldest !== undefined) tokens.delete(oldest);
      issued += 1;
      return { text, expiresAt };
    },
    accepts(token = '', resources) {
      const found = tokens.get(token);
      return found !== undefined && found.expiresAt > Date.now() && resources.includes(found.resource);
    },
    revokeAll: () => tokens.clear(),
  };
}

/** Where tokens are issued. */
export const tokenPath = '/msi/token';

const systemIdentity = '00000000-0000-4000-8000-000000000001';

/** Adds the endpoint of the managed identity as App Service has it: who sends the identity header gets tokens. */
export function addTokenEndpoint(app: FastifyInstance, tokens: TokenStore, identityHeader: string): void {
  app.get(tokenPath, (request, reply) => sendPlain(reply, tokenResponse(request, tokens, identityHeader)));
}

function tokenResponse(request: FastifyRequest, tokens: TokenStore, identityHeader: string): PlainResponse {
  const { 'api-version': apiVersion, resource, client_id: clientId } = request.query as Record<string, unknown>;
  const given = request.headers['x-identity-header'];
  if (given === undefined) return tokenRefusal(400, 'The header X-IDENTITY-HEADER is missing.');
  if (given !== identityHeader) return tokenRefusal(401, 'The header X-IDENTITY-HEADER is wrong.');
  if (apiVersion !== '2019-08-01') return tokenRefusal(400, 'The api-version must be 2019-08-01.');
  if (typeof resource !== 'string' || resource === '') return tokenRefusal(400, 'The resource is missing.');
  const { text, expiresAt } = tokens.issue(resource);
  return {
    status: 200,
    body: {
      access_token: text,
      expires_on: String(Math.floor(expiresAt / 1000)),
      resource,
      token_type: 'Bearer',
      client_id: typeof clientId === 'string' ? clientId : systemIdentity,
    },
  };
}

function tokenRefusal(statusCode: number, message: string): PlainResponse {
  return { status: statusCode, body: { statusCode, message } };
}
