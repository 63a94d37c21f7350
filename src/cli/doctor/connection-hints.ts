/** Why a name was not found, by the code of the look-up. */
export function nameHint(code: string): string {
  if (code === 'ENOTFOUND') {
    return 'there is no such host: check `baseURL`, and where the resource has a private endpoint, the DNS zone of this network';
  }
  return `the name could not be looked up (${code}): check the DNS of this machine, or set \`egressProxy\` where only a proxy knows names`;
}

/** Why there was no connection, by the code of the socket. */
export function connectionHint(code: string): string {
  if (code === 'ECONNREFUSED') return 'nothing listens there: check host and port of `baseURL`';
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return `the host cannot be reached (${code}): a firewall may drop it; allow it on this port, or set \`egressProxy\``;
  }
  return `the connection was broken (${code}): a firewall may refuse it; allow the host, or set \`egressProxy\``;
}

const untrusted = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];

/** Why there was no TLS, by the code of the handshake. */
export function tlsHint(code: string): string {
  if (untrusted.includes(code)) {
    return 'the certificate is of an authority that is not trusted, as of a proxy that inspects TLS: name the file of its certificate in NODE_EXTRA_CA_CERTS';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'the certificate is for another host: check `baseURL`, and whether the DNS leads to the right place';
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'the certificate is not valid at this time: check the clock of this machine, and renew the certificate if it has expired';
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'the port does not speak TLS: check whether `baseURL` has to begin with http, or names a wrong port';
  }
  return `TLS was broken off (${code}): a firewall or proxy may inspect TLS and not allow this host`;
}
