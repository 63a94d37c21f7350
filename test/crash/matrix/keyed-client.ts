import { Agent, type IncomingMessage, request as open } from 'node:http';
import { consumerKey } from './gateway-process.ts';
import type { Call } from './modes.ts';

/** What a client has received; of a response that broke off, what there was of it. Without any, the status is 0. */
export type Reply = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly isWhole: boolean;
};

/** A request under way. */
export type Asking = {
  /** Never rejects. */
  readonly reply: Promise<Reply>;
  /** Resolves with the first bytes of the body, or when there are none. */
  readonly begun: Promise<void>;
  /** The client leaves. */
  leave(): void;
};

/** Sends a request on a connection of its own, and collects what comes back. */
export function ask(url: string, { path, type, body }: Call, headers: Readonly<Record<string, string>>): Asking {
  const begun = Promise.withResolvers<void>();
  const reply = Promise.withResolvers<Reply>();
  const chunks: Buffer[] = [];
  let response: IncomingMessage | undefined;
  const end = () => {
    const { statusCode = 0, headers: received = {}, complete = false } = response ?? {};
    reply.resolve({ status: statusCode, headers: received, body: Buffer.concat(chunks), isWhole: complete });
    begun.resolve();
    agent.destroy();
  };
  const agent = new Agent();
  const request = open(`${url}${path}`, {
    method: 'POST',
    agent,
    headers: { 'api-key': consumerKey, 'content-type': type, 'content-length': body.length, ...headers },
  });
  request.once('response', (incoming) => {
    response = incoming;
    incoming.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      begun.resolve();
    });
    incoming.on('error', () => {});
    incoming.once('close', end);
  });
  request.on('error', () => {
    if (response === undefined) end();
  });
  request.end(body);
  return { reply: reply.promise, begun: begun.promise, leave: () => request.destroy() };
}

/** The code of an error response. */
export function codeOf({ body, status }: Reply): string | undefined {
  return status >= 400 ? /"code":\s*"(\w+)"/.exec(body.toString('latin1'))?.[1] : undefined;
}
