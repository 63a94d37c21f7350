import { isIP } from 'node:net';

/** True for an IP address, and for a network such as `10.0.0.0/8`, but not for one that holds every address. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  return bits === undefined || (Number(bits) >= 1 && Number(bits) <= (version === 6 ? 128 : 32));
}
