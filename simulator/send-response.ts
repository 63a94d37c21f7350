import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { PlainResponse } from './azure-errors.ts';
import type { Scenario } from './choose-scenario.ts';
import { joinBody, type ResponseBytes } from './response-bytes.ts';
import type { ScenarioName } from './scenarios.ts';

// A larger response is streamed instead of being joined first.
const largestJoinedBody = 4 * 1024 * 1024;

const otherContentTypes: Partial<Record<ScenarioName, string>> = {
  'text-plain': 'text/plain; charset=utf-8',
  'octet-stream': 'application/octet-stream',
};

/** The content type of a response: the right one, unless the scenario claims another. */
export function contentTypeIn(scenario: Scenario, rightType: string): string {
  return otherContentTypes[scenario.name] ?? rightType;
}

/** What is left of a scenario for polls: what breaks a connection was played before, the type that is claimed shows. */
export function ofPoll(scenario: Scenario): Scenario {
  return otherContentTypes[scenario.name] === undefined ? { ...scenario, name: 'none' } : scenario;
}

/** Sends a response without images, unbroken. */
export function sendPlain(reply: FastifyReply, response: PlainResponse): FastifyReply {
  reply.code(response.status).headers(response.headers ?? {});
  if (response.contentType !== undefined) reply.type(response.contentType);
  return response.body === undefined ? reply.send() : reply.send(response.body);
}

/** Sends a JSON body the way the scenario wants it sent: whole, slowly, under another type, or broken. */
export async function sendJson(
  reply: FastifyReply,
  status: number,
  body: ResponseBytes,
  scenario: Scenario,
): Promise<FastifyReply> {
  const contentType = contentTypeIn(scenario, 'application/json');
  // A scenario of downloads must not apply to the response that holds the link.
  const own = scenario.reach === 'download' ? ({ ...scenario, name: 'none' } as const) : scenario;
  return sendBytes(reply, status, contentType, body, own);
}

/** Sends bytes of any type the way the scenario wants them sent. */
export async function sendBytes(
  reply: FastifyReply,
  status: number,
  contentType: string,
  body: ResponseBytes,
  scenario: Scenario,
): Promise<FastifyReply> {
  if (breaksConnection(scenario.name)) {
    await sendBroken(reply, scenario.name, { status, contentType, bytes: joinBody(body) });
    return reply;
  }
  reply.code(status).type(contentType).header('content-length', body.byteLength);
  if (scenario.name === 'slow-body') return reply.send(Readable.from(pausedPieces(joinBody(body), scenario.value)));
  if (body.byteLength > largestJoinedBody) return reply.send(Readable.from(body.pieces()));
  return reply.send(joinBody(body));
}

async function* pausedPieces(bytes: Buffer, milliseconds: number): AsyncIterable<Buffer> {
  const middle = Math.floor(bytes.length / 2);
  yield bytes.subarray(0, middle);
  await wait(milliseconds, undefined, { ref: false });
  yield bytes.subarray(middle);
}

/** A response to break: what its head and body would have been. */
type WholeResponse = { readonly status: number; readonly contentType: string; readonly bytes: Buffer };

type Breakage = (socket: Socket, head: (framing: string) => string, bytes: Buffer) => void | Promise<void>;

const half = (bytes: Buffer) => bytes.subarray(0, Math.ceil(bytes.length / 2));
const lengthOf = (bytes: Buffer) => `content-length: ${bytes.length}`;

/** Milliseconds, enough for the first bytes to be read: a reset throws away what the receiver has not read yet. */
export const pauseBeforeReset = 40;

function sendAndEnd(socket: Socket, ...pieces: readonly (string | Buffer)[]): void {
  for (const piece of pieces) socket.write(piece);
  socket.destroySoon();
}

const breakages: Partial<Record<ScenarioName, Breakage>> = {
  'truncated-length': (socket, head, bytes) => sendAndEnd(socket, head(lengthOf(bytes)), half(bytes)),
  'truncated-chunked': (socket, head, bytes) => {
    const chunk = half(bytes);
    sendAndEnd(socket, head('transfer-encoding: chunked'), `${chunk.length.toString(16)}\r\n`, chunk, '\r\n');
  },
  'truncated-close': (socket, head, bytes) => sendAndEnd(socket, head('connection: close'), half(bytes)),
  reset: async (socket, head, bytes) => {
    socket.write(head(lengthOf(bytes)));
    socket.write(half(bytes));
    await wait(pauseBeforeReset);
    socket.resetAndDestroy();
  },
  'reset-before-headers': (socket) => {
    socket.resetAndDestroy();
  },
  // An image's download has one way to break only; it is the commonest one.
  'download-truncated': (socket, head, bytes) => sendAndEnd(socket, head(lengthOf(bytes)), half(bytes)),
};

/** Says whether a scenario breaks the connection, so that {@link sendBroken} has to send the response. */
export function breaksConnection(name: ScenarioName): boolean {
  return breakages[name] !== undefined;
}

/**
 * Sends a response that breaks off. It writes to the socket itself, because neither Fastify nor Node's own server
 * lets a program send a body that does not fit its head.
 */
async function sendBroken(reply: FastifyReply, name: ScenarioName, response: WholeResponse): Promise<void> {
  const { socket } = reply.raw;
  const fixed = Object.entries({ ...reply.getHeaders(), 'content-type': response.contentType });
  const lines = fixed.map(([header, value]) => `${header}: ${String(value)}`);
  const head = (framing: string) => [`HTTP/1.1 ${response.status} Broken`, ...lines, framing, '', ''].join('\r\n');
  reply.hijack();
  if (socket !== null) await breakages[name]?.(socket, head, response.bytes);
}
