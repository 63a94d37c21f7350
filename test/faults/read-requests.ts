import type { Socket } from 'node:net';

/** A request that has arrived completely. */
export type Request = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/** Whether a request can be billed: polls never are, nor is what ends a job. */
export const isPaidCall = ({ method, path }: Pick<Request, 'method' | 'path'>): boolean =>
  method === 'POST' && !isCancel({ method, path });

export const isCancel = ({ method, path }: Pick<Request, 'method' | 'path'>): boolean =>
  method === 'POST' && /\/cancel(\?|$)/.test(path);

/** Calls back for each request of a connection that has arrived completely; bodies have a `content-length`. */
export function readRequests(socket: Socket, onRequest: (request: Request) => void): void {
  let buffer: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (let taken = take(buffer); taken !== undefined; taken = take(buffer)) {
      buffer = taken.rest;
      onRequest(taken.request);
    }
  });
}

function take(bytes: Buffer): { request: Request; rest: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(lines.map(splitHeader));
  const bodyAt = end + 4;
  const bodyEnd = bodyAt + Number(headers['content-length'] ?? 0);
  if (bytes.length < bodyEnd) return undefined;
  const [method = '', path = ''] = first.split(' ');
  const request = { method, path, headers, body: bytes.subarray(bodyAt, bodyEnd) };
  return { request, rest: bytes.subarray(bodyEnd) };
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
