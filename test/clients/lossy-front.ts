import { connect } from 'node:net';
import { serveRaw } from '../helpers/loopback-server.ts';
import type { Call, Rig } from './rig.ts';

/**
 * The address of a front that loses the gateway's first response: the request has arrived, and its client finds the
 * connection closed. Everything later passes.
 */
export async function losesFirstResponse(gatewayUrl: string): Promise<string> {
  let isFirst = true;
  const port = await serveRaw((client) => {
    const gateway = connect(Number(new URL(gatewayUrl).port), '127.0.0.1').on('error', () => client.destroy());
    client.on('close', () => gateway.destroy()).pipe(gateway);
    if (isFirst) gateway.once('data', () => client.destroy());
    else gateway.pipe(client);
    isFirst = false;
  });
  return `http://127.0.0.1:${port}`;
}

/** The calls that submit an image, each of which may be one that the client repeats. */
export const submitsOf = ({ calls }: Rig): readonly Call[] => calls.filter(({ path }) => path.includes(':submit'));
