import { BlockList, isIP, isIPv4 } from 'node:net';
import type { EgressProxy } from '../domain/egress-proxy.ts';
import { Secret } from '../domain/secret.ts';
import type { Report } from './problems.ts';

/** Whether a text is an IP address or a network such as `10.0.0.0/8`. A network of all addresses is refused. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  return bits === undefined || (Number(bits) >= 1 && Number(bits) <= (version === 6 ? 128 : 32));
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Whether a host is this machine only. IPv6 addresses are written without brackets. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  return isIP(host) !== 0 && loopback.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}

const wrongAddress = 'must be an http or https URL without a path, such as http://proxy.example.com:3128';
const excluded =
  'cannot be combined with `egressProxy`: image URLs are fetched from public addresses only, and the gateway cannot see where a proxy connects';

/** Reads the proxy of a models file. Problems never repeat the value, which may hold a password. */
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
    report(['egressProxy'], 'user and password must be percent-encoded, and the user must not contain a colon');
  else return { origin: url.origin, ...(credentials && { credentials }) };
  return undefined;
}

/** `undefined`: none; `null`: invalid. */
function credentialsOf({ username, password }: URL): Secret | undefined | null {
  if (username === '' && password === '') return undefined;
  try {
    const user = decodeURIComponent(username);
    return user.includes(':') ? null : new Secret(`${user}:${decodeURIComponent(password)}`);
  } catch {
    return null;
  }
}
