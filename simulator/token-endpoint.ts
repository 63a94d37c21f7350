import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { PlainAnswer } from './azure-errors.ts';
import { sendPlain } from './send-answer.ts';
import type { TokenDesk } from './token-desk.ts';

/** Where tokens are issued. */
export const tokenPath = '/msi/token';

const systemIdentity = '00000000-0000-4000-8000-000000000001';

/** Adds the endpoint of the managed identity as App Service has it: whoever knows the identity header gets tokens. */
export function addTokenEndpoint(app: FastifyInstance, desk: TokenDesk, identityHeader: string): void {
  app.get(tokenPath, (request, reply) => sendPlain(reply, answerToken(request, desk, identityHeader)));
}

function answerToken(request: FastifyRequest, desk: TokenDesk, identityHeader: string): PlainAnswer {
  const { 'api-version': apiVersion, resource, client_id: clientId } = request.query as Record<string, unknown>;
  const given = request.headers['x-identity-header'];
  if (given === undefined) return tokenRefusal(400, 'The header X-IDENTITY-HEADER is missing.');
  if (given !== identityHeader) return tokenRefusal(401, 'The header X-IDENTITY-HEADER is wrong.');
  if (apiVersion !== '2019-08-01') return tokenRefusal(400, 'The api-version must be 2019-08-01.');
  if (typeof resource !== 'string' || resource === '') return tokenRefusal(400, 'The resource is missing.');
  const { text, expiresAt } = desk.issue(resource);
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

function tokenRefusal(statusCode: number, message: string): PlainAnswer {
  return { status: statusCode, body: { statusCode, message } };
}
