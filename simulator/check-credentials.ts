import type { FastifyReply, FastifyRequest } from 'fastify';
import { accessDenied, accessTokenRefused } from './azure-errors.ts';
import { sendPlain } from './send-answer.ts';
import type { SimulatedWorld } from './simulated-world.ts';

// CONTRACTS §3: the scopes of the specifications and of the Foundry projects.
const projectResource = 'https://ai.azure.com';
const resources = ['https://cognitiveservices.azure.com', projectResource];

function bearerOf({ headers }: FastifyRequest): string | undefined {
  return /^bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
}

/**
 * Makes the check of credentials that every Azure path begins with. CONTRACTS §3: `api-key: K` or a bearer token;
 * whichever is sent must be right, so that a forgotten second credential shows.
 */
export function requireKey({ apiKey, tokens }: SimulatedWorld) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const { authorization, 'api-key': key } = request.headers;
    const bearer = bearerOf(request);
    const isGoodBearer = authorization === undefined || bearer === apiKey || tokens.accepts(bearer, resources);
    if (!isGoodBearer) return sendPlain(reply, accessTokenRefused());
    const isGoodKey = key === undefined ? authorization !== undefined : key === apiKey;
    return isGoodKey ? undefined : sendPlain(reply, accessDenied());
  };
}

/** Makes the check of a project's paths. CONTRACTS §3.4: they have a scope of their own, and know no key. */
export function requireProjectToken({ tokens }: SimulatedWorld) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const isGood = request.headers['api-key'] === undefined && tokens.accepts(bearerOf(request), [projectResource]);
    return isGood ? undefined : sendPlain(reply, accessTokenRefused());
  };
}
