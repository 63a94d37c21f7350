import dns from 'node:dns';
import net from 'node:net';
import { buildConnector } from 'undici';
import { bareHost } from './egress-connector.ts';

/** `dns.lookup` with `all: true`: every address that the name stands for. */
export type ResolveAll = (
  host: string,
  options: dns.LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, answers: dns.LookupAddress[]) => void,
) => void;

/** A connection that the guard refused: to an address that is not on the public internet. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

/**
 * Connects to public addresses only: literals (which never reach a look-up) are checked, a name is refused when any of
 * its answers is forbidden, exactly the checked answers are dialled, and the connected peer is looked at once more.
 */
export function guardedConnector(
  isForbidden: (address: string) => boolean = isForbiddenAddress,
  resolve: ResolveAll = dns.lookup,
): buildConnector.connector {
  const lookup: net.LookupFunction = (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, answers) => {
      if (error) return done(error, []);
      const [first] = answers;
      if (first === undefined || answers.some(({ address }) => isForbidden(address))) {
        return done(new ForbiddenAddressError('the name stands for an address that is not public'), []);
      }
      return options.all ? done(null, answers) : done(null, first.address, first.family);
    });
  };
  const dial = buildConnector({ allowH2: false, timeout: 5_000, lookup });

  return (options, done) => {
    const host = bareHost(options.hostname);
    if (net.isIP(host) !== 0 && isForbidden(host)) {
      return done(new ForbiddenAddressError('the address is not public'), null);
    }
    return dial(options, (error, socket) => {
      if (error) return done(error, null);
      // A peer that has gone has no address, which is none that is allowed.
      if (!isForbidden(String(socket.remoteAddress))) return done(null, socket);
      socket.destroy();
      return done(new ForbiddenAddressError('the connected peer is not public'), null);
    });
  };
}

/** True for everything that is not a public address, malformed text and addresses with a zone included. */
export function isForbiddenAddress(address: string): boolean {
  if (net.isIPv4(address)) return notPublic.check(address, 'ipv4');
  if (!net.isIPv6(address) || address.includes('%')) return true;
  return !globalUnicast.check(address, 'ipv6') || notPublic.check(address, 'ipv6');
}

// All of IPv6 that is routed. IPv4 addresses that are mapped, translated (NAT64) or embedded otherwise lie outside of it,
// but for those of 6to4 and Teredo.
const globalUnicast = new net.BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

// The special-purpose registries of IANA: for IPv4, and for what of IPv6 looks like a public address.
const notPublic = new net.BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // The platform behind every virtual machine of Azure, which only it can see.
  ['168.63.129.16', 32],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6');
}
