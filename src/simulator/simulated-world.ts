import type { FastifyReply, FastifyRequest } from 'fastify';
import { accessDenied } from './azure-errors.ts';
import type { Ledger } from './ledger.ts';
import type { PictureShelf } from './private-images.ts';
import { sendPlain } from './send-answer.ts';

/** What all flows of one simulator share. `operationMs` is how long a legacy operation takes, in milliseconds,
 * `partialMs` the pause between the events of a stream. */
export type SimulatedWorld = {
  readonly apiKey: string;
  readonly operationMs: number;
  readonly partialMs: number;
  readonly ledger: Ledger;
  readonly shelf: PictureShelf;
};

/**
 * Makes the check of the key that every Azure path begins with. CONTRACTS §3: `api-key: K` or a bearer token;
 * whichever is sent must be right, so that a forgotten second credential shows.
 */
export function requireKey({ apiKey }: SimulatedWorld) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const { authorization, 'api-key': key } = request.headers;
    const given = [
      ...(key === undefined ? [] : [key === apiKey]),
      ...(authorization === undefined ? [] : [/^bearer (.+)$/i.exec(authorization)?.[1] === apiKey]),
    ];
    return given.length > 0 && given.every(Boolean) ? undefined : sendPlain(reply, accessDenied());
  };
}

/** Counts a paid POST once its body is complete. */
export function countReceived({ ledger }: SimulatedWorld) {
  return async (): Promise<void> => ledger.noteReceived();
}
