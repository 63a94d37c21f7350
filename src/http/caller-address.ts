import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/**
 * The address of a caller, for the log only: that of the connection, or what trusted proxies say of it. These may add a
 * port, and pass on whatever their caller wrote: what is no address is none.
 */
export function callerAddress({ ip }: Pick<FastifyRequest, 'ip'>): string | undefined {
  const bare = (ip ?? '').replace(/^\[(.*)\](?::\d{1,5})?$/, '$1').replace(/^(\d[\d.]*):\d{1,5}$/, '$1');
  const address = bare.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(address) === 0 ? undefined : address;
}
