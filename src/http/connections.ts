import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type ErrorKind, GatewayError } from '../domain/gateway-error.ts';
import { callerViews, errorBody } from './error-response.ts';
import { requestId } from './gateway-headers.ts';
import { currentRequests } from './record-requests.ts';

const kinds: Readonly<Record<string, [ErrorKind, string]>> = {
  HPE_HEADER_OVERFLOW: ['header_too_large', "The request's headers are too long."],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request took too long to arrive.'],
};

/** Responds to bytes that are no HTTP request, which never reach a route, in the shape of every other error. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  // Nothing may get between the bytes of a response that is being written.
  if (error.code === 'ECONNRESET' || !socket.writable || currentRequests.get(socket)?.complete) {
    socket.destroy();
    return;
  }
  const [kind, message] = kinds[error.code ?? ''] ?? ['invalid_request', 'The request is not valid HTTP.'];
  const { status, headers, body } = plainError(kind, message);
  const head = [`HTTP/1.1 ${status} Refused`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}

/**
 * Handles the `expect` header. Clients that send `100-continue` hold their body back until it is about to be read: after
 * their key was checked, so that a stranger's megabytes are not even sent. (Node would ask for them at once.) Anything else
 * is refused, which Node would do without a body.
 */
export function handleExpectations(app: FastifyInstance): void {
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response));
  app.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const message = "The only value of 'expect' that is understood is 100-continue.";
    const { status, headers, body } = plainError('expectation_failed', message);
    response.writeHead(status, headers).end(body);
  });
  app.addHook('preParsing', async (request, reply) => {
    if (/^100-continue$/i.test(request.headers.expect ?? '')) reply.raw.writeContinue();
  });
}

/** An error response for requests that never reach Fastify; the connection ends with it. */
function plainError(kind: ErrorKind, message: string) {
  const body = JSON.stringify(errorBody(new GatewayError(kind, message)));
  return {
    status: callerViews[kind].status,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'x-request-id': requestId({ headers: {} }),
      connection: 'close',
    },
    body,
  };
}
