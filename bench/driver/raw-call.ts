import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import type { Call } from './call.ts';

/** A connection of its own on which the head of a call was sent; its body is still to come. */
export async function openRawCall({ url, headers }: Call, length: number): Promise<Socket> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  const lines = Object.entries({ host, ...headers, 'content-length': String(length) });
  const head = [`POST ${pathname}${search} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  return socket;
}

/** The beginning of the response on a raw connection. */
export async function statusOf(socket: Socket): Promise<number> {
  const [response] = await once(socket, 'data');
  return Number(String(response).split(' ')[1]);
}
