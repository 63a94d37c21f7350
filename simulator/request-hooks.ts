import type { FastifyReply, FastifyRequest } from 'fastify';
import { accessDenied, accessTokenRefused } from './azure-errors.ts';
import type { Ledger } from './ledger.ts';
import type { TokenStore } from './managed-identity.ts';
import type { ImageStore } from './private-images.ts';
import type { Quotas } from './quota.ts';
import { sendPlain } from './send-response.ts';

/**
 * What all flows of one simulator share. An operation, or a response in the background, takes `operationMs`; `partialMs` is
 * the pause between the events of a stream.
 */
export type SimulatorState = {
  readonly apiKey: string;
  readonly operationMs: number;
  readonly partialMs: number;
  readonly ledger: Ledger;
  readonly images: ImageStore;
  readonly tokens: TokenStore;
  readonly quotas: Quotas;
  /** Whether the paths of projects also accept the key, which those of Azure do not. */
  readonly hasProjectKeys: boolean;
};

/** Counts a paid POST once its body is complete. */
export function countReceived({ ledger }: SimulatorState) {
  return async (): Promise<void> => ledger.noteReceived();
}

// The scopes of the specifications and of the Foundry projects.
const projectResource = 'https://ai.azure.com';
const resources = ['https://cognitiveservices.azure.com', projectResource];

function bearerOf({ headers }: FastifyRequest): string | undefined {
  return /^bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
}

/**
 * Checks the credentials of Azure's paths: `api-key` or a bearer token. All that are sent must be right, so that a
 * forgotten second credential is noticed.
 */
export function requireKey({ apiKey, tokens }: SimulatorState) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const { authorization, 'api-key': key } = request.headers;
    const bearer = bearerOf(request);
    const isGoodBearer = authorization === undefined || bearer === apiKey || tokens.accepts(bearer, resources);
    if (!isGoodBearer) return sendPlain(reply, accessTokenRefused());
    const isGoodKey = key === undefined ? authorization !== undefined : key === apiKey;
    return isGoodKey ? undefined : sendPlain(reply, accessDenied());
  };
}

/** Checks the token of a project's paths, which have a scope of their own and accept no key. */
export function requireProjectToken(state: SimulatorState) {
  const { tokens, hasProjectKeys } = state;
  if (hasProjectKeys) return requireKey(state);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const isGood = request.headers['api-key'] === undefined && tokens.accepts(bearerOf(request), [projectResource]);
    return isGood ? undefined : sendPlain(reply, accessTokenRefused());
  };
}
