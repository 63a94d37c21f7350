import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, isIP, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { certificate } from './loopback-server.ts';

export type ConnectProxy = {
  readonly origin: string;
  /** Host and port of every tunnel that was requested, with the headers that came along. */
  readonly requests: readonly { readonly authority: string; readonly headers: http.IncomingHttpHeaders }[];
  /** Requests that are no tunnels. */
  readonly forwarded: readonly string[];
  /** Everything that callers have sent through tunnels. */
  readonly bytes: () => string;
};

type Options = {
  readonly secure?: boolean;
  /** What it says to a CONNECT instead of opening a tunnel; `silence`: nothing. */
  readonly refusal?: number | 'silence' | 'reset';
  /** What `proxy-authorization` must be. */
  readonly authorization?: string;
};

/**
 * A proxy on loopback that opens tunnels and records each request; every name leads to loopback. It is closed when the
 * test ends.
 */
export async function startConnectProxy({
  secure = false,
  refusal,
  authorization,
}: Options = {}): Promise<ConnectProxy> {
  const requests: { authority: string; headers: http.IncomingHttpHeaders }[] = [];
  const forwarded: string[] = [];
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
  };
  const server = secure ? https.createServer(certificate) : http.createServer();
  server.on('connection', track).on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    forwarded.push(String(request.url));
    response.writeHead(502).end();
  });
  server.on('connect', ({ url = '', headers }: http.IncomingMessage, client: Socket) => {
    requests.push({ authority: url, headers });
    client.on('error', () => {});
    if (refusal === 'silence') return;
    if (refusal === 'reset') return void client.destroy();
    const isKnown = authorization === undefined || headers['proxy-authorization'] === authorization;
    const status = refusal ?? (isKnown ? 200 : 407);
    client.write(`HTTP/1.1 ${status} Status\r\n\r\n`);
    if (status !== 200) return void client.end();
    const { hostname, port } = new URL(`http://${url}`);
    const upstream = connect(Number(port), isIP(hostname) === 0 ? '127.0.0.1' : hostname);
    track(upstream);
    client.on('data', (chunk) => chunks.push(chunk)).on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const origin = secure ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  return { origin, requests, forwarded, bytes: () => Buffer.concat(chunks).toString('latin1') };
}
