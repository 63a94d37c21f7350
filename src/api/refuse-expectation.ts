import type { IncomingMessage, ServerResponse } from 'node:http';
import { GatewayError } from '../domain/gateway-error.ts';
import { requestId } from './request-id.ts';
import { callerViews, errorBody } from './write-error.ts';

/** Answers an `expect` header that nobody can fulfil, which Node would do without a body and before any route. */
export function refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
  const error = new GatewayError(
    'expectation_failed',
    "The only value of 'expect' that is understood is 100-continue.",
  );
  const body = JSON.stringify(errorBody(error));
  response.writeHead(callerViews[error.kind].status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId(request),
    connection: 'close',
  });
  response.end(body);
}
