import { BlockList, isIP, isIPv4 } from 'node:net';
import type { EgressProxy } from '../domain/egress-proxy.ts';
import { Secret } from '../domain/secret.ts';
import type { Report } from './problems.ts';

/** True for an IP address, and for a network such as `10.0.0.0/8`, but not for one that holds every address. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  return bits === undefined || (Number(bits) >= 1 && Number(bits) <= (version === 6 ? 128 : 32));
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Whether what is sent to this host, or listens on it, stays on this machine. IPv6 addresses stand without brackets. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  return isIP(host) !== 0 && loopback.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}

const wrongAddress = 'must be an http or https address without path, such as http://proxy.example.com:3128';
const excluded =
  'excludes `egressProxy`: links of callers are fetched from public addresses only, and where a proxy connects to cannot be seen';

/** The proxy of a models file; what is wrong with it is reported in words that repeat none of it. */
export function readEgressProxy(file: Readonly<Record<string, unknown>>, report: Report): EgressProxy | undefined {
  const { egressProxy, imageUrls } = file;
  if (typeof egressProxy !== 'string') return undefined;
  if (imageUrls === 'download') report(['imageUrls'], excluded);
  const url = URL.parse(egressProxy);
  const isUsable =
    url !== null && /^https?:\/\/[^/]/i.test(egressProxy) && !/[\s\\?#]/.test(egressProxy) && url.pathname === '/';
  const credentials = isUsable ? credentialsOf(url) : undefined;
  if (!isUsable) report(['egressProxy'], wrongAddress);
  else if (credentials === null)
    report(['egressProxy'], 'must have user and password percent-encoded, and no colon in the user');
  else return { origin: url.origin, ...(credentials && { credentials }) };
  return undefined;
}

/** `undefined`: there are none; `null`: they cannot be used. */
function credentialsOf({ username, password }: URL): Secret | undefined | null {
  if (username === '' && password === '') return undefined;
  try {
    const user = decodeURIComponent(username);
    return user.includes(':') ? null : new Secret(`${user}:${decodeURIComponent(password)}`);
  } catch {
    return null;
  }
}
