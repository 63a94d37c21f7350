import type { IncomingMessage, ServerResponse } from 'node:http';
import { plainRefusal } from './plain-refusal.ts';

/** Answers an `expect` header that nobody can fulfil, which Node would do without a body and before any route. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const message = "The only value of 'expect' that is understood is 100-continue.";
  const { status, headers, body } = plainRefusal('expectation_failed', message);
  response.writeHead(status, headers).end(body);
}
