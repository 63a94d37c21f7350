import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RequestEnd, RequestRecord, RequestRecorder } from '../domain/request-record.ts';
import { readTraceparent } from '../domain/trace.ts';
import { callerAddress } from './caller-address.ts';
import { noteRequest } from './refuse-connection.ts';
import { isEnding, refuseHost } from './refuse-host.ts';

declare module 'fastify' {
  interface FastifyRequest {
    record: RequestRecord;
  }
}

/** Gives every request its id and its record, which is handed over when the connection of its answer has ended. */
export function recordRequests(app: FastifyInstance, recorder: RequestRecorder): void {
  app.decorateRequest('record', null as unknown as RequestRecord);
  app.addHook('onRequest', async (request, reply) => {
    if (isEnding(request.raw)) return void reply.hijack();
    reply.header('x-request-id', request.id);
    const record = newRecord(request);
    request.record = record;
    noteRequest(request.raw, reply.raw);
    recorder.requestStarted();
    reply.raw.once('close', () => {
      record.bytesIn = newBytesOf(request.raw.socket);
      recorder.requestEnded(record, requestEnd(reply.raw, record));
    });
    // Here and now: pipelined requests come in before the next hook runs.
    const error = refuseHost(request, reply);
    if (error) throw error;
  });
}

/** `record.error` is set before we tear a connection; without it, the other side has closed it. 499 is nginx's word. */
function requestEnd(response: ServerResponse, record: RequestRecord): RequestEnd {
  if (response.writableFinished) return { how: 'completed', status: response.statusCode };
  return record.error === undefined
    ? { how: 'disconnected', status: 499 }
    : { how: 'truncated', status: response.statusCode };
}

function newRecord(request: FastifyRequest): RequestRecord {
  const retries = request.headers['x-stainless-retry-count'];
  return {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    startedAt: performance.now(),
    client: callerAddress(request),
    clientRetry: typeof retries === 'string' && /^\d{1,3}$/.test(retries) ? Number(retries) : 0,
    trace: readTraceparent(request.headers.traceparent),
    images: 0,
    bytesOut: 0,
    bytesIn: 0,
  };
}

/** What earlier requests on a connection have been told to have brought. */
const counted = new WeakMap<Socket, number>();

function newBytesOf(socket: Socket): number {
  const before = counted.get(socket) ?? 0;
  counted.set(socket, socket.bytesRead);
  return socket.bytesRead - before;
}
