import { connect, type Socket } from 'node:net';

/** How a caller's connection can end before its response has. */
export const farewells: readonly (readonly [name: string, disconnect: (socket: Socket) => void])[] = [
  ['resets its connection', (socket) => void socket.resetAndDestroy()],
  ['closes its connection', (socket) => void socket.destroy()],
  ['half-closes its connection', (socket) => void socket.end()],
];

export type DisconnectingClient = { readonly socket: Socket; readonly heard: () => string };

/** A client that can disconnect at any moment; it hears what it is sent until then. */
export function startClient(
  url: string,
  bytes: Buffer,
  { onFinished }: { onFinished: (end: () => void) => void },
): DisconnectingClient {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  let heard = '';
  socket
    .on('error', () => {})
    .on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
    });
  socket.write(bytes);
  onFinished(() => void socket.destroy());
  return { socket, heard: () => heard };
}
