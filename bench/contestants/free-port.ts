import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

/** A loopback port on which nothing listens at the moment, for programs that do not choose one themselves. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
