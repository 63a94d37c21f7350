import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { RequestRecord, RequestRecorder } from '../domain/request-record.ts';
import { clientAddress, readTraceparent } from './gateway-headers.ts';
import { endingConnections, refuseHost } from './hosts-and-origins.ts';

declare module 'fastify' {
  interface FastifyRequest {
    record: RequestRecord;
  }
}

/** The request that is being responded to on a connection. */
export const currentRequests = new WeakMap<Socket, IncomingMessage>();

/** How many bytes of a connection earlier requests on it have been reported to have brought. */
const reportedBytes = new WeakMap<Socket, number>();

/** Gives every request its id and its record, which is handed over when its response has ended. */
export function recordRequests(app: FastifyInstance, recorder: RequestRecorder): void {
  app.decorateRequest('record', null as unknown as RequestRecord);
  app.addHook('onRequest', async (request, reply) => {
    const { socket } = request.raw;
    if (endingConnections.has(socket)) return void reply.hijack();
    reply.header('x-request-id', request.id);
    const { traceparent, 'x-stainless-retry-count': retries } = request.headers;
    const record: RequestRecord = {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      startedAt: performance.now(),
      client: clientAddress(request),
      clientRetry: typeof retries === 'string' && /^\d{1,3}$/.test(retries) ? Number(retries) : 0,
      trace: traceparent === undefined ? undefined : readTraceparent(traceparent),
      images: 0,
      bytesOut: 0,
      bytesIn: 0,
    };
    request.record = record;
    currentRequests.set(socket, request.raw);
    recorder.requestStarted();
    reply.raw.once('close', () => {
      // A pipelined request may have taken its place.
      if (currentRequests.get(socket) === request.raw) currentRequests.delete(socket);
      record.bytesIn = socket.bytesRead - (reportedBytes.get(socket) ?? 0);
      reportedBytes.set(socket, socket.bytesRead);
      const { writableFinished, statusCode: status } = reply.raw;
      // `record.error` is set before we truncate a response; without it, the client has disconnected, which nginx logs as 499.
      if (writableFinished) recorder.requestEnded(record, { how: 'completed', status });
      else if (record.error !== undefined) recorder.requestEnded(record, { how: 'truncated', status });
      else recorder.requestEnded(record, { how: 'disconnected', status: 499 });
    });
    // Here and now: pipelined requests come in before the next hook runs.
    const error = refuseHost(request, reply);
    if (error) throw error;
  });
}
