/** A host name as sockets and look-ups take it: URLs write addresses of IPv6 in brackets. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
