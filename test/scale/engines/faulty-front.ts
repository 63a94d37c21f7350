import { type ClientRequest, createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What becomes of requests: a status, no response at all, a connection that is cut after some bytes, or nothing special. */
export type Fault = number | 'silent' | 'cut' | undefined;

export type FaultyFront = {
  readonly url: string;
  /** Of the requests from now on. */
  fault: Fault;
  /** Which requests it is about; all by default. */
  concerns: (method: string, url: string) => boolean;
  /** Requests that have come, as `PUT /path`. */
  readonly requests: string[];
  close(): Promise<void>;
};

/** A server in front of an object store on which requests can fail in every way. */
export async function startFaultyFront(target: string): Promise<FaultyFront> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const onward = new Set<ClientRequest>();
  const server = createServer((incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    front.requests.push(`${method} ${url}`);
    const fault = front.concerns(method, url) ? front.fault : undefined;
    incoming.on('error', () => {});
    if (fault === 'silent') {
      incoming.resume();
      return;
    }
    if (fault === 'cut') {
      incoming.once('data', () => incoming.socket.resetAndDestroy());
      incoming.once('end', () => incoming.socket.resetAndDestroy());
      return;
    }
    if (fault !== undefined) {
      incoming.resume().once('end', () => refuse(response, fault));
      return;
    }
    // The host is a part of what S3's signatures sign.
    const passed = request({ hostname, port, method, path: url, headers });
    onward.add(passed);
    passed
      .on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      })
      .on('close', () => onward.delete(passed))
      .on('error', () => response.destroy());
    incoming.pipe(passed);
  });
  server.on('connection', (socket) =>
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket))),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front: FaultyFront = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: undefined,
    concerns: () => true,
    requests: [],
    close: () => end(server, sockets, onward),
  };
  return front;
}

/** As Azure and S3 say it; both look at the code. */
function refuse(response: ServerResponse, status: number): void {
  const body = `<?xml version="1.0"?><Error><Code>Injected</Code><Message>signature-canary</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length }).end(body);
}

async function end(server: Server, sockets: Set<Socket>, onward: Set<ClientRequest>): Promise<void> {
  for (const passed of onward) passed.destroy();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}
