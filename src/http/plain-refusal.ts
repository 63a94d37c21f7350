import { type ErrorKind, GatewayError } from '../domain/gateway-error.ts';
import { requestId } from './request-id.ts';
import { callerViews, errorBody } from './write-error.ts';

/** An error answer for requests that never reach Fastify, with a connection that ends behind it. */
export function plainRefusal(kind: ErrorKind, message: string) {
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
