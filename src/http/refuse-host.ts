import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';

/** Connections on which a request was refused for its host: whatever follows there is not taken for a request. */
const ending = new WeakSet<Socket>();

export function isEnding({ socket }: IncomingMessage): boolean {
  return ending.has(socket);
}

/**
 * The error for a request that does not name exactly one valid host, which two readers of a connection may take for different
 * ones (RFC 9112, 3.2). Its connection ends with the response. `undefined`: the host is all right.
 */
export function refuseHost({ raw }: FastifyRequest, reply: FastifyReply): GatewayError | undefined {
  const problem = hostProblem(raw);
  if (problem === undefined) return undefined;
  ending.add(raw.socket);
  reply.header('connection', 'close');
  return new GatewayError('invalid_request', problem);
}

const host = /^(?:\[[\da-f:.]+\]|[\w.~%-]*)(?::\d*)?$/i;

function hostProblem({ httpVersion, headers, rawHeaders }: IncomingMessage): string | undefined {
  // Node would refuse it by itself, but without a body.
  if (headers.host === undefined) return httpVersion === '1.1' ? 'The request has no host header.' : undefined;
  const hosts = rawHeaders.filter((text, at) => at % 2 === 0 && text.length === 4 && text.toLowerCase() === 'host');
  if (hosts.length > 1) return 'The request has more than one host header.';
  return host.test(headers.host) ? undefined : 'The host header is not valid.';
}
