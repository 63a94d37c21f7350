import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import tls from 'node:tls';
import { onTestFinished } from 'vitest';

/** A certificate for `localhost` and for one of Azure's blob hosts that only tests trust. */
export const certificate = {
  key: readFileSync(new URL('../fixtures/tls/key.pem', import.meta.url)),
  cert: readFileSync(new URL('../fixtures/tls/certificate.pem', import.meta.url)),
};

/** An HTTP (or HTTPS) server on a free loopback port, closed when the test ends. Returns its port. */
export function serveHttp(listener: http.RequestListener, { secure = false } = {}): Promise<number> {
  return listen(secure ? https.createServer(certificate, listener) : http.createServer(listener));
}

/** A server of raw connections, with TLS if requested. */
export function serveRaw(onConnection: (socket: Socket) => void, { secure = false } = {}): Promise<number> {
  return listen(secure ? tls.createServer(certificate, onConnection) : net.createServer(onConnection));
}

/** A port on which nothing listens: it was just closed. */
export async function refusedPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}
