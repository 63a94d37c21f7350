import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type {
  ForwardedCall,
  PassThrough,
  PassThroughRequest,
  PassThroughResponse,
} from '../../../domain/pass-through.ts';
import { newTraceparent } from '../../../domain/trace.ts';
import { isRetriedBySdks } from '../../error-response.ts';
import { streamHeaders } from '../../event-stream.ts';
import { lingerBeforeClose } from '../../lingering-close.ts';
import { splitTarget } from '../../request-path.ts';
import { sendBody } from '../../send-body.ts';

/**
 * Forwards a request of the Responses API, and its response, while both arrive. The route's pattern has one segment
 * `responses`; what follows it in the URL is what Azure is asked for. Rejects with a GatewayError while that can be an error
 * response.
 *
 * @param body what the client sends; `undefined`: nothing
 */
export async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  passThrough: PassThrough,
  body: AsyncIterable<Buffer> | undefined,
): Promise<void> {
  const { record, headers, consumer } = request;
  if (consumer?.models !== undefined) throw notForThisKey();
  const call: ForwardedCall = { sent: false, traceparent: record.trace && newTraceparent(record.trace) };
  record.forwarded = call;
  const method = methodOf(request);
  const permit = consumer?.acquire();
  const { signal, end } = whileConnected(reply.raw);
  try {
    await permit?.granted;
    const response = await passThrough.send({ method, ...targetOf(request), headers, body, signal, call });
    writeHead(reply, response, method === 'POST');
    await sendBody(reply, response.body, { record });
  } catch (error) {
    if (!reply.raw.destroyed && !isGone(error)) throw error;
    // Nobody is there to get an error response.
    reply.hijack();
  } finally {
    end();
    permit?.release();
  }
}

/** A HEAD is a GET whose body Node leaves out. */
function methodOf({ method }: FastifyRequest): PassThroughRequest['method'] {
  return method === 'POST' || method === 'DELETE' ? method : 'GET';
}

function isGone(error: unknown): boolean {
  return error instanceof GatewayError && error.kind === 'client_gone';
}

/** Which deployments a forwarded request uses is decided by its body, and none of them is a model of the models file. */
function notForThisKey(): GatewayError {
  const message = 'This key may use only some models, so requests to other deployments are not forwarded for it.';
  return new GatewayError('not_permitted', message);
}

/** The part of the URL that Azure is to get, still as the client encoded it. */
function targetOf({ url, routeOptions }: FastifyRequest): { path: string; search: string } {
  const { path, query } = splitTarget(url);
  const root = segmentsOf(routeOptions.url ?? '').indexOf('responses');
  return { path: `/${segmentsOf(path).slice(root).join('/')}`, search: query };
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** A signal that is aborted when the client disconnects before its response is complete, or at the latest by `end`. */
function whileConnected(response: ServerResponse): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const end = () => {
    if (!controller.signal.aborted) controller.abort(new GatewayError('client_gone', 'The client has disconnected.'));
  };
  if (response.destroyed) end();
  response.once('close', end);
  return { signal: controller.signal, end };
}

function writeHead(reply: FastifyReply, { status, headers }: PassThroughResponse, isPaid: boolean): void {
  // The limits of the client's own key are the ones that it can act on, so they stay.
  const others = Object.entries(headers).filter(([name]) => !reply.hasHeader(name));
  const isStream = headers['content-type']?.startsWith('text/event-stream');
  reply.code(status).headers({
    ...(isStream && streamHeaders),
    ...Object.fromEntries(others),
    'x-content-type-options': 'nosniff',
    // A retry would be billed, too. After a 429 nothing is, and Azure says how long to wait.
    ...(isPaid && isRetriedBySdks(status) && status !== 429 && { 'x-should-retry': 'false' }),
  });
  // Azure may respond before it has read everything.
  lingerBeforeClose(reply.raw);
}
