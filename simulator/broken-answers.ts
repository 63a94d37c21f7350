import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { ScenarioName } from './scenarios.ts';

/** An answer to break: what its head and body would have been. */
export type WholeAnswer = { readonly status: number; readonly contentType: string; readonly bytes: Buffer };

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

/** Says whether a scenario breaks the connection, so that {@link sendBroken} has to send the answer. */
export function breaksConnection(name: ScenarioName): boolean {
  return breakages[name] !== undefined;
}

/**
 * Sends an answer that breaks off. It writes to the socket itself, because neither Fastify nor Node's own server
 * lets a program send a body that does not fit its head.
 */
export async function sendBroken(reply: FastifyReply, name: ScenarioName, answer: WholeAnswer): Promise<void> {
  const { socket } = reply.raw;
  const fixed = Object.entries({ ...reply.getHeaders(), 'content-type': answer.contentType });
  const lines = fixed.map(([header, value]) => `${header}: ${String(value)}`);
  const head = (framing: string) => [`HTTP/1.1 ${answer.status} Broken`, ...lines, framing, '', ''].join('\r\n');
  reply.hijack();
  if (socket !== null) await breakages[name]?.(socket, head, answer.bytes);
}
