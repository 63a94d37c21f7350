import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorKind } from '../domain/gateway-error.ts';
import { plainRefusal } from './plain-refusal.ts';

const kinds: Readonly<Record<string, [ErrorKind, string]>> = {
  HPE_HEADER_OVERFLOW: ['header_too_large', "The request's headers are too long."],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request took too long to arrive.'],
};

/** The request that is being worked on, by connection: other bytes must not get between those of its answer. */
const current = new WeakMap<Socket, IncomingMessage>();

export function noteRequest(request: IncomingMessage, response: ServerResponse): void {
  current.set(request.socket, request);
  response.once('close', () => {
    // A pipelined request may have taken its place.
    if (current.get(request.socket) === request) current.delete(request.socket);
  });
}

/** Answers bytes that are no HTTP request, which never reach a route, in the shape of every other error. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || current.get(socket)?.complete) {
    socket.destroy();
    return;
  }
  const [kind, message] = kinds[error.code ?? ''] ?? ['invalid_request', 'The request is not valid HTTP.'];
  const { status, headers, body } = plainRefusal(kind, message);
  const head = [`HTTP/1.1 ${status} Refused`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}
